#include "http/fetch/url_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

UrlPolicy Policy(std::vector<std::string> allow) {
  FetchConfig config;
  config.allow = std::move(allow);
  Result<UrlPolicy> policy = UrlPolicy::Create(config);
  EXPECT_TRUE(policy.ok()) << policy.status().message();
  return *std::move(policy);
}

StatusCode CodeOf(const UrlPolicy& policy, const std::string& url) {
  return policy.Check(url).status().code();
}

TEST(UrlPolicyTest, IsOffWithoutHosts) {
  const UrlPolicy policy = Policy({});
  EXPECT_TRUE(policy.off());
  const Result<CheckedUrl> url = policy.Check("http://img.example.org/a.jpg");
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(url.status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(url.status().message(), "imgurl is off: the operator allows no hosts ([fetch] allow)");
}

TEST(UrlPolicyTest, RebuildsWhatItChecked) {
  const UrlPolicy policy = Policy({"*", "*:8080"});
  const std::vector<std::pair<std::string, std::string>> urls = {
      {"http://img.example.org/a.jpg", "http://img.example.org/a.jpg"},
      {"HTTPS://IMG.Example.org./a.jpg?x=1&y=%20", "https://img.example.org/a.jpg?x=1&y=%20"},
      {"http://img.example.org", "http://img.example.org/"},
      {"http://img.example.org?x", "http://img.example.org/?x"},
      {"http://img.example.org:80/A", "http://img.example.org/A"},
      {"http://img.example.org:443/", "http://img.example.org:443/"},
      {"https://img.example.org:8080/", "https://img.example.org:8080/"},
      {"http://93.184.216.34/a", "http://93.184.216.34/a"},
      {"http://[2606:2800:0220::1]/a", "http://[2606:2800:220::1]/a"},
      {"http://a_b.example.org/a", "http://a_b.example.org/a"},
      {"http://img.example.org/a/../b", "http://img.example.org/b"},
      {"http://img.example.org/@x:y", "http://img.example.org/@x:y"}};
  for (const auto& [url, rebuilt] : urls) {
    const Result<CheckedUrl> checked = policy.Check(url);
    ASSERT_TRUE(checked.ok()) << url << ": " << checked.status().message();
    EXPECT_EQ(checked->text, rebuilt);
  }
}

TEST(UrlPolicyTest, AnExactPatternMatchesOneHost) {
  const UrlPolicy policy = Policy({"img.Example.org."});
  EXPECT_EQ(CodeOf(policy, "http://img.example.org/"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(policy, "https://IMG.example.org./"), StatusCode::kOk);
  for (const char* url :
       {"http://example.org/", "http://x.img.example.org/", "http://ximg.example.org/",
        "http://img.example.org.evil.net/", "http://img.example.org:8080/"}) {
    EXPECT_EQ(CodeOf(policy, url), StatusCode::kPermissionDenied) << url;
  }
}

TEST(UrlPolicyTest, AStarMatchesEachNameBelowAndNotTheNameItself) {
  const UrlPolicy policy = Policy({"*.example.org"});
  EXPECT_EQ(CodeOf(policy, "http://a.example.org/"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(policy, "http://b.a.example.org/"), StatusCode::kOk);
  for (const char* url :
       {"http://example.org/", "http://evilexample.org/", "http://a.example.org.evil.net/"}) {
    EXPECT_EQ(CodeOf(policy, url), StatusCode::kPermissionDenied) << url;
  }
}

TEST(UrlPolicyTest, APatternWithAPortMatchesThatPortAlone) {
  const UrlPolicy policy = Policy({"img.example.org:8080", "[2606:2800:220::1]:81", "1.1.1.1"});
  EXPECT_EQ(CodeOf(policy, "http://img.example.org:8080/"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(policy, "http://img.example.org/"), StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(policy, "http://[2606:2800:220:0::1]:81/"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(policy, "http://[2606:2800:220::1]/"), StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(policy, "http://1.1.1.1:443/"), StatusCode::kOk);
}

TEST(UrlPolicyTest, NamesTheHostThatIsNotAllowed) {
  EXPECT_THAT(Policy({"a.org"}).Check("http://b.org/").status().message(),
              HasSubstr("photos from 'b.org', port 80, are not allowed here"));
}

TEST(UrlPolicyTest, AcceptsTheLongestUrlAndNotOneMore) {
  const UrlPolicy policy = Policy({"*"});
  const std::string start = "http://img.example.org/";
  const std::string longest = start + std::string(2048 - start.size(), 'a');
  EXPECT_EQ(CodeOf(policy, longest), StatusCode::kOk);
  EXPECT_EQ(CodeOf(policy, longest + "a"), StatusCode::kInvalidArgument);
}

// Whatever gets through, however it was made, has one reading: ours, curl's, and ours again.
TEST(UrlPolicyTest, WhatItLetsThroughReadsTheSameAgain) {
  const UrlPolicy policy = Policy({"*", "*:8080"});
  const std::vector<std::string> pieces = {
      "http://", "https://", "HTTP://", "ftp://", "//",  "/",         "\\",     "?", "#",
      "@",       ":",        ":80",     ":8080",  "a.b", "127.0.0.1", "0x7f.1", "1", ".",
      "..",      "[::1]",    "[",       "]",      "%2e", "%00",       "user",   "-", "_",
      "xn--a",   "\r\n",     " ",       "\u3002", "&",   ";",         "=x"};
  std::mt19937_64 random(20261124);
  std::size_t accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string url = round % 4 == 0 ? "" : "http://";
    const std::size_t count = 1 + random() % 8;
    for (std::size_t i = 0; i < count; ++i) url += pieces[random() % pieces.size()];
    const Result<CheckedUrl> first = policy.Check(url);
    if (!first.ok()) continue;
    ++accepted;
    const Result<CheckedUrl> second = policy.Check(first->text);
    ASSERT_TRUE(second.ok()) << url << " became " << first->text;
    EXPECT_EQ(second->text, first->text) << url;
    EXPECT_EQ(second->host.name, first->host.name) << url;
    EXPECT_EQ(second->host.address, first->host.address) << url;
    EXPECT_EQ(second->port, first->port) << url;
    EXPECT_EQ(second->https, first->https) << url;
  }
  EXPECT_GT(accepted, 1000U);
}

TEST(UrlPolicyTest, NamesThePatternThatItDoesNotUnderstand) {
  for (const char* pattern :
       {"", "http://img.example.org", "img.example.org/", "*.", ".example.org", "a*b.org",
        "*.*.org", "*example.org", "a b.org", "img.example.org:0", "img.example.org:", "*:x",
        "127.1", "0x7f.0.0.1", "*.1.2.3.4", "user@img.example.org", "::1", "b\u00FCcher.org"}) {
    FetchConfig config;
    config.allow = {"good.example.org", pattern};
    const Result<UrlPolicy> policy = UrlPolicy::Create(config);
    ASSERT_FALSE(policy.ok()) << pattern;
    EXPECT_EQ(policy.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(policy.status().message(),
                HasSubstr("fetch.allow: '" + std::string(pattern) + "': the host "));
  }
}

}  // namespace
}  // namespace xcloud
