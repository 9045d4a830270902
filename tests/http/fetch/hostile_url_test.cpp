// No URL that a caller may send makes the server open a socket to where it must not.

#include <cctype>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/http/fetch/fetch_fixture.h"
#include "tests/http/fetch/hostile_urls.h"

namespace xcloud {
namespace {

class HostileUrlTest : public FetchFixture {
 protected:
  HostileUrlTest() {
    exception_ = false;
    config_.allow.push_back("*:" + std::to_string(target_.port()));
    resolver_ = std::make_shared<PuppetResolver>();
    for (const auto& [name, addresses] : HostileNames()) resolver_->Add(name, addresses);
  }
  std::string Filled(std::string url) const {
    const std::string mark = "{PORT}";
    for (std::size_t at = 0; (at = url.find(mark)) != std::string::npos;) {
      url.replace(at, mark.size(), std::to_string(target_.port()));
    }
    return url;
  }
  // What can stand in the query of a request, and names a host of its own.
  static bool CanBeRedirectedTo(const std::string& url) {
    const auto plain = [](char c) { return c > 0x20 && c < 0x7F && c != '#' && c != '\\'; };
    const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
    const std::size_t scheme = url.find("://");
    return scheme != std::string::npos && url.size() < 1000 &&
           std::all_of(url.begin(), url.end(), plain) &&
           std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(scheme), letter);
  }

  // Every xcloud_fetches_total as /metrics shows it: labels to value.
  std::map<std::string, std::string> FetchCounters() {
    std::map<std::string, std::string> out;
    std::istringstream text(metrics_.Render());
    for (std::string line; std::getline(text, line);) {
      if (!line.starts_with("xcloud_fetches_total{")) continue;
      const std::size_t space = line.rfind(' ');
      out[line.substr(0, space)] = line.substr(space + 1);
    }
    return out;
  }

  PhotoHost target_;  // on {PORT}; no test lets anyone reach it
};

TEST_F(HostileUrlTest, NoneOpensASocketWhenEveryHostIsAllowed) {
  Start();
  ASSERT_GE(HostileUrls().size(), 60U);
  for (const HostileUrl& hostile : HostileUrls()) {
    const std::uint64_t before = Ended(hostile.outcome);
    const Result<std::string> photo = Get(Filled(hostile.url));
    const std::string shown = hostile.url.substr(0, 100);
    ASSERT_FALSE(photo.ok()) << shown;
    EXPECT_EQ(Ended(hostile.outcome), before + 1)
        << shown << " should be " << hostile.outcome << ": " << photo.status().message();
    EXPECT_TRUE(photo.status().code() == StatusCode::kInvalidArgument ||
                photo.status().code() == StatusCode::kPermissionDenied)
        << shown << ": " << photo.status().ToString();
  }
  EXPECT_THAT(connects(), ::testing::IsEmpty());
  EXPECT_EQ(target_.accepted(), 0U);
}

TEST_F(HostileUrlTest, NoneOpensASocketWhenOneHostIsAllowed) {
  config_.allow = {"photos.example.org", "*.cdn.example.org"};
  Start();
  for (const HostileUrl& hostile : HostileUrls()) {
    EXPECT_FALSE(Get(Filled(hostile.url)).ok()) << hostile.url.substr(0, 100);
  }
  EXPECT_THAT(connects(), ::testing::IsEmpty());
  EXPECT_EQ(target_.accepted(), 0U);
}

TEST_F(HostileUrlTest, NoneGetsFurtherAsARedirect) {
  exception_ = true;
  config_.max_redirects = 3;
  resolver_->Add("photos.example.org", {"127.0.0.1"});
  Start();
  std::size_t followed = 0;
  for (const HostileUrl& hostile : HostileUrls()) {
    const std::string target = Filled(hostile.url);
    if (!CanBeRedirectedTo(target)) continue;
    const Result<std::string> photo = Get(Url("/to?" + target));
    ASSERT_FALSE(photo.ok()) << target;
    ++followed;
  }
  EXPECT_GE(followed, 60U);
  for (const std::string& peer : connects()) {
    EXPECT_EQ(peer, "127.0.0.1 " + std::to_string(host_.port()));
  }
  EXPECT_EQ(target_.accepted(), 0U);
  EXPECT_EQ(host_.requests().size(), followed) << "one each for the redirect, none for its target";
}

// So that the tests above can fail: the same harness does reach the host when it may.
TEST_F(HostileUrlTest, TheCountersSeeAConnection) {
  exception_ = true;
  Start();
  EXPECT_TRUE(Get("http://127.0.0.1:" + std::to_string(host_.port()) + "/photo").ok());
  EXPECT_EQ(connects().size(), 1U);
  EXPECT_EQ(host_.accepted(), 1U);
}

TEST_F(HostileUrlTest, ANameThatTurnsToThisMachineIsRefusedTheSecondTime) {
  exception_ = true;
  resolver_->Add("rebind.example.net", {"127.0.0.1"});
  resolver_->Add("rebind.example.net", {"127.0.0.3"});
  Start();
  EXPECT_TRUE(Get(Url("/photo", "rebind.example.net")).ok());
  EXPECT_EQ(resolver_->asked("rebind.example.net"), 1U) << "asked once: the address is pinned";
  ExpectStatus(Get(Url("/photo", "rebind.example.net")), StatusCode::kInvalidArgument,
               "no address, or not only");
  EXPECT_EQ(host_.requests().size(), 1U) << "not over the connection that is still open either";
}

// What a caller can see of one fetch: the answer, and /metrics, which stands on the public port.
TEST_F(HostileUrlTest, AnUnknownHostAndARefusedOneLookTheSame) {
  Start();
  const auto counted_by = [this](const std::string& url, Result<std::string>& photo) {
    const std::map<std::string, std::string> before = FetchCounters();
    photo = Get(url);
    std::map<std::string, std::string> changed = FetchCounters();
    for (const auto& [name, value] : before) {
      if (changed[name] == value) changed.erase(name);
    }
    std::vector<std::string> names;
    for (const auto& [name, value] : changed) names.push_back(name);
    return names;
  };
  Result<std::string> unknown = std::string();
  Result<std::string> inside = std::string();
  const auto by_unknown = counted_by("http://nobody.example.net/", unknown);
  const auto by_inside = counted_by("http://printer/", inside);
  ASSERT_FALSE(unknown.ok());
  ASSERT_FALSE(inside.ok());
  EXPECT_EQ(unknown.status(), inside.status());
  EXPECT_THAT(by_unknown, ::testing::SizeIs(1));
  EXPECT_EQ(by_unknown, by_inside);
}

}  // namespace
}  // namespace xcloud
