// What comes back: photos, and clear words about hosts that do not give one.

#include "http/fetch/photo_fetcher.h"

#include <cstdlib>

#include "tests/http/fetch/fetch_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PhotoFetcherTest : public FetchFixture {
 protected:
  std::string At(const std::string& address) const {
    return address + " " + std::to_string(host_.port());
  }
};

TEST_F(PhotoFetcherTest, FetchesAPhoto) {
  Start();
  EXPECT_TRUE(fetcher_->enabled());
  const Result<std::string> photo = Get(Url("/photo"));
  ASSERT_TRUE(photo.ok()) << photo.status().message();
  EXPECT_EQ(*photo, "photo");
  EXPECT_THAT(connects(), ElementsAre(At("127.0.0.1")));
  EXPECT_EQ(Ended("ok"), 1U);
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_fetch_seconds_count 1\n"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_fetches_open 0\n"));
}

TEST_F(PhotoFetcherTest, CountsTheBytesWhileTheyCome) {
  Start();
  ByteBudget budget(5000);
  const auto get = [&](const std::string& path, const std::shared_ptr<BodyShare>& share) {
    std::promise<Result<std::string>> promise;
    fetcher_->Fetch({Url(path), {}, nullptr, share},
                    [&](Result<std::string> photo) { promise.set_value(std::move(photo)); });
    return Await(promise.get_future());
  };
  auto first = std::make_shared<BodyShare>(budget);
  EXPECT_TRUE(get("/size?3000", first).ok());
  EXPECT_EQ(budget.used(), 3000U);
  auto second = std::make_shared<BodyShare>(budget);
  ExpectStatus(get("/size?2001", second), StatusCode::kOverloaded, "as many bytes of photos");
  EXPECT_TRUE(second->refused());
  EXPECT_EQ(Ended("overloaded"), 1U);
  second.reset();
  first.reset();
  fetcher_->Stop();  // it lets go of a share only after `done`
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(PhotoFetcherTest, SaysWhoItIsAndNothingElse) {
  Start();
  ASSERT_TRUE(Get(Url("/photo?a=%20b")).ok());
  const std::string head = host_.requests().at(0);
  EXPECT_THAT(head, ::testing::StartsWith("GET /photo?a=%20b HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nHost: photos.example.org:" + std::to_string(host_.port())));
  EXPECT_THAT(head, HasSubstr("\r\nUser-Agent: XCloud/"));
  for (const char* absent : {"Accept-Encoding", "Cookie", "Authorization", "Referer", "Expect"}) {
    EXPECT_THAT(head, Not(HasSubstr(absent)));
  }
}

TEST_F(PhotoFetcherTest, UsesAConnectionAgain) {
  Start();
  ASSERT_TRUE(Get(Url("/photo")).ok());
  ASSERT_TRUE(Get(Url("/photo")).ok());
  EXPECT_EQ(host_.accepted(), 1U);
  EXPECT_EQ(host_.requests().size(), 2U);
}

TEST_F(PhotoFetcherTest, IsOffWithoutHosts) {
  config_.allow.clear();
  Start();
  EXPECT_FALSE(fetcher_->enabled());
  ExpectStatus(Get(Url("/photo")), StatusCode::kPermissionDenied, "imgurl is off");
  EXPECT_EQ(Ended("off"), 1U);
  fetcher_->Wake();
  fetcher_->Stop();
}

TEST_F(PhotoFetcherTest, RefusesAPatternThatItDoesNotUnderstand) {
  config_.allow = {"http://x"};
  const auto fetcher = PhotoFetcher::Create(config_, metrics_, clock_, Seams());
  ASSERT_FALSE(fetcher.ok());
  EXPECT_THAT(fetcher.status().message(), HasSubstr("fetch.allow: 'http://x'"));
  EXPECT_FALSE(CheckFetchConfig(config_).ok());
  config_.allow = {"x"};
  EXPECT_TRUE(CheckFetchConfig(config_).ok());
}

TEST_F(PhotoFetcherTest, TellsWhatTheUrlAnswered) {
  Start();
  for (const char* status : {"404", "500", "204", "206", "401", "410"}) {
    ExpectStatus(Get(Url("/status?" + std::string(status))), StatusCode::kInvalidArgument,
                 "the photo's URL answered " + std::string(status));
  }
  EXPECT_EQ(Ended("bad_status"), 6U);
  ExpectStatus(Get(Url("/size?0")), StatusCode::kInvalidArgument, "an empty body");
}

TEST_F(PhotoFetcherTest, TakesAPhotoOfTheLargestSizeAndNotOneByteMore) {
  Start();
  const Result<std::string> photo = Get(Url("/size?4096"));
  ASSERT_TRUE(photo.ok()) << photo.status().message();
  EXPECT_EQ(photo->size(), 4096U);
  ExpectStatus(Get(Url("/size?4097")), StatusCode::kTooLarge, "more than 4096 bytes");
  EXPECT_TRUE(Get(Url("/until-close")).ok());
}

TEST_F(PhotoFetcherTest, DoesNotReadWhatIsDeclaredTooLarge) {
  Start();
  ExpectStatus(Get(Url("/declared")), StatusCode::kTooLarge, "more than 4096 bytes");
  EXPECT_TRUE(host_.WaitGone(1));
}

TEST_F(PhotoFetcherTest, EndsABodyWithoutEnd) {
  Start();
  ExpectStatus(Get(Url("/endless")), StatusCode::kTooLarge, "more than 4096 bytes");
  ExpectStatus(Get(Url("/chunks")), StatusCode::kTooLarge, "more than 4096 bytes");
  EXPECT_TRUE(host_.WaitGone(2)) << "the connections are closed";
  EXPECT_EQ(Ended("too_large"), 2U);
}

TEST_F(PhotoFetcherTest, RefusesBrokenAnswers) {
  Start();
  ExpectStatus(Get(Url("/headers")), StatusCode::kInvalidArgument, "proper HTTP");
  ExpectStatus(Get(Url("/garbage")), StatusCode::kInvalidArgument, "proper HTTP");
  ExpectStatus(Get(Url("/early")), StatusCode::kInvalidArgument, "ended the connection before");
  ExpectStatus(Get(Url("/nothing")), StatusCode::kInvalidArgument, "ended the connection before");
  EXPECT_EQ(Ended("broken"), 4U);
  EXPECT_TRUE(Get(Url("/photo")).ok()) << "and goes on";
}

TEST_F(PhotoFetcherTest, TriesTheNextAddressWhenOneDoesNotAccept) {
  resolver_->Add("two.example.org", {"127.0.0.2", "127.0.0.1"});
  Start();
  EXPECT_TRUE(Get(Url("/photo", "two.example.org")).ok());
  EXPECT_THAT(connects(), ElementsAre(At("127.0.0.2"), At("127.0.0.1")));
}

TEST_F(PhotoFetcherTest, SaysThatNoAddressAccepts) {
  resolver_->Add("closed.example.org", {"127.0.0.2"});
  Start();
  ExpectStatus(Get(Url("/photo", "closed.example.org")), StatusCode::kInvalidArgument,
               "does not accept connections");
  EXPECT_EQ(Ended("unreachable"), 1U);
}

TEST_F(PhotoFetcherTest, TellsATimeOfTroubleFromAHostThatIsNot) {
  resolver_->AddFailure("later.example.org", Status::Unavailable("x"));
  resolver_->AddFailure("full.example.org", Status::Overloaded("x", std::chrono::seconds(1)));
  Start();
  ExpectStatus(Get(Url("/", "later.example.org")), StatusCode::kUnavailable, "try again");
  ExpectStatus(Get(Url("/", "full.example.org")), StatusCode::kOverloaded, "too many photos");
  ExpectStatus(Get(Url("/", "no.example.org")), StatusCode::kInvalidArgument, "no address");
}

TEST_F(PhotoFetcherTest, DoesNotTalkPlainWhereTlsIsAsked) {
  Start();
  ExpectStatus(Get("https://photos.example.org:" + std::to_string(host_.port()) + "/photo"),
               StatusCode::kInvalidArgument, "does not speak TLS");
  EXPECT_THAT(host_.requests(), IsEmpty());
}

TEST_F(PhotoFetcherTest, IgnoresAProxyInTheEnvironment) {
  PhotoHost proxy;
  const std::string address = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) {
    setenv(name, address.c_str(), 1);
  }
  Start();
  EXPECT_TRUE(Get(Url("/photo")).ok());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  EXPECT_EQ(proxy.accepted(), 0U);
  EXPECT_EQ(host_.accepted(), 1U);
}

TEST_F(PhotoFetcherTest, FollowsNoRedirectUnlessTold) {
  Start();
  ExpectStatus(Get(Url("/to?" + Url("/photo"))), StatusCode::kInvalidArgument,
               "redirects are not followed");
  EXPECT_EQ(host_.requests().size(), 1U);
  EXPECT_EQ(Ended("refused_redirect"), 1U);
}

TEST_F(PhotoFetcherTest, FollowsRedirectsWithinTheLimit) {
  config_.max_redirects = 2;
  resolver_->Add("other.example.org", {"127.0.0.1"});
  Start();
  EXPECT_TRUE(Get(Url("/to?" + Url("/to?/photo", "other.example.org"))).ok());
  EXPECT_EQ(resolver_->asked("other.example.org"), 2U) << "each hop is looked up";
  EXPECT_TRUE(Get(Url("/to?photo")).ok()) << "relative to the path";
  EXPECT_TRUE(Get(Url("/to?./../photo?x")).ok());
  EXPECT_TRUE(
      Get(Url("/raw-to?//other.example.org:" + std::to_string(host_.port()) + "/photo")).ok());
  ExpectStatus(Get(Url("/to?/to?/to?/photo")), StatusCode::kInvalidArgument, "too many before it");
  ExpectStatus(Get(Url("/status?302")), StatusCode::kInvalidArgument, "redirect");
}

TEST_F(PhotoFetcherTest, ChecksEachHopOfARedirect) {
  PhotoHost inside;
  const std::string port = std::to_string(inside.port());
  config_.max_redirects = 3;
  config_.allow.push_back("*:" + port);
  resolver_->Add("inside.example.org", {"127.0.0.1"});
  Start();
  for (const std::string& target :
       {"http://127.0.0.1:" + port + "/photo", "http://inside.example.org:" + port + "/photo",
        "//127.0.0.1:" + port + "/photo", "http://localhost:" + port + "/"}) {
    ExpectStatus(Get(Url("/to?" + target)), StatusCode::kInvalidArgument, "no address, or not");
  }
  for (const std::string& target :
       {std::string("file:///etc/passwd"), "gopher://127.0.0.1:" + port + "/",
        "http://photos.example.org@127.0.0.1:" + port + "/", "http://2130706433:" + port + "/.",
        std::string("http://photos.example.org:22/"), "http://00127.0.0.1:" + port + "/"}) {
    ExpectStatus(Get(Url("/to?" + target)), StatusCode::kInvalidArgument, "redirect");
  }
  EXPECT_EQ(inside.accepted(), 0U);
}

}  // namespace
}  // namespace xcloud
