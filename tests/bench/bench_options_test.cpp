#include "bench/bench_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

TEST(BenchOptionsTest, DefaultsAreFine) {
  EXPECT_TRUE(CheckBenchOptions({}).ok()) << CheckBenchOptions({}).message();
}

struct WrongOption {
  const char* named;
  std::function<void(BenchOptions&)> change;
};

TEST(BenchOptionsTest, NamesEachWrongOption) {
  const WrongOption cases[] = {
      {"--url: https", [](BenchOptions& o) { o.url = "https://127.0.0.1/"; }},
      {"--mode: ", [](BenchOptions& o) { o.mode = "open"; }},
      {"--body: ", [](BenchOptions& o) { o.body = "json"; }},
      {"--rate: closed mode has no rate", [](BenchOptions& o) { o.rates = {10}; }},
      {"--rate: open-loop", [](BenchOptions& o) { o.mode = "poisson"; }},
      {"--rate: must be from",
       [](BenchOptions& o) {
         o.mode = "constant", o.rates = {5, -1};
       }},
      {"--rate: rate times duration",
       [](BenchOptions& o) { o.mode = "constant", o.rates = {1e6}, o.duration_s = 1e4; }},
      {"--think-ms: only closed",
       [](BenchOptions& o) { o.mode = "poisson", o.rates = {1}, o.think_ms = 1; }},
      {"--clients: must", [](BenchOptions& o) { o.clients = 0; }},
      {"--clients: each client needs", [](BenchOptions& o) { o.clients = 300; }},
      {"--connections: must", [](BenchOptions& o) { o.connections = 0; }},
      {"--duration-s: must", [](BenchOptions& o) { o.duration_s = 0; }},
      {"--warmup-s: must", [](BenchOptions& o) { o.warmup_s = -1; }},
      {"--slo-ms: must", [](BenchOptions& o) { o.slo_ms = 0; }},
      {"--slo-ms: is longer than", [](BenchOptions& o) { o.timeout_ms = 10; }},
      {"--timeout-ms: must", [](BenchOptions& o) { o.timeout_ms = 0; }},
      {"--late-ms: must", [](BenchOptions& o) { o.late_ms = 0; }},
      {"--deadline-ms: must",
       [](BenchOptions& o) {
         o.deadlines_ms = {50, 0};
       }},
      {"--deadline-ms: is longer", [](BenchOptions& o) { o.deadlines_ms = {20'000}; }},
      {"--repeat: must be from 1 to 1000, not 0", [](BenchOptions& o) { o.repeat = 0; }},
      {"--server-pid: must", [](BenchOptions& o) { o.server_pid = -4; }},
      {"--header: must look", [](BenchOptions& o) { o.headers = {"no colon"}; }},
      {"--header: must look", [](BenchOptions& o) { o.headers = {"A: b\r\nC: d"}; }},
  };
  for (const WrongOption& wrong : cases) {
    BenchOptions options;
    wrong.change(options);
    const Status status = CheckBenchOptions(options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << wrong.named;
    EXPECT_THAT(status.message(), HasSubstr(wrong.named));
  }
}

TEST(BenchOptionsTest, TellsEveryWrongOptionAtOnce) {
  BenchOptions options;
  options.mode = "none";
  options.body = "none";
  const std::string message = CheckBenchOptions(options).message();
  EXPECT_THAT(message, HasSubstr("--mode: must be one of closed, poisson, constant, not 'none'\n"));
  EXPECT_THAT(message, HasSubstr("--body: "));
}

TEST(TargetUrlTest, SplitsHostPortAndPath) {
  const auto url = ParseTargetUrl("http://127.0.0.1:8080/cv/imagenet?k=3");
  ASSERT_TRUE(url.ok()) << url.status().message();
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, "8080");
  EXPECT_EQ(url->path, "/cv/imagenet?k=3");
  EXPECT_EQ(url->authority, "127.0.0.1:8080");
  const auto bare = ParseTargetUrl("http://localhost");
  EXPECT_EQ(bare->port, "80");
  EXPECT_EQ(bare->path, "/");
  EXPECT_EQ(ParseTargetUrl("http://localhost?x=1")->path, "/?x=1");
  const auto six = ParseTargetUrl("http://[::1]:81/a");
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, "81");
}

TEST(TargetUrlTest, RefusesWhatItCannotLoad) {
  for (const char* bad :
       {"", "127.0.0.1:8080", "ftp://a/", "https://a/", "http://", "http:///x", "http://a:0/",
        "http://a:70000/", "http://a:b/", "http://a:/", "http://[::1/", "http://[::1]x/",
        "http://u:p@a/", "http://a/b c", "http://a/\r\nX: y", "http://a/#b"}) {
    EXPECT_FALSE(ParseTargetUrl(bad).ok()) << bad;
  }
}

TEST(TargetUrlTest, TheModelIsTheLastPartOfThePath) {
  EXPECT_EQ(ModelOfPath("/cv/imagenet?k=3"), "imagenet");
  EXPECT_EQ(ModelOfPath("/cv/mcloud/skin/"), "skin");
  EXPECT_EQ(ModelOfPath("/"), "");
}

}  // namespace
}  // namespace xcloud
