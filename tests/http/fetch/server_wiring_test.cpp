// HttpServer makes the fetcher from [fetch].

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

class ServerWiringTest : public ServerFixture {
 protected:
  Status StartWith(const FetchConfig& fetch) {
    server_ = std::make_unique<HttpServer>(config_, service_, call_log_, metrics_, clock_, fetch);
    return server_->Start();
  }
};

TEST_F(ServerWiringTest, ABadPatternStopsTheStart) {
  FetchConfig fetch;
  fetch.allow = {"https://img.example.org"};
  EXPECT_THAT(StartWith(fetch).message(),
              ::testing::HasSubstr("fetch.allow: 'https://img.example.org'"));
}

TEST_F(ServerWiringTest, StartsAndStopsWithHostsAllowed) {
  FetchConfig fetch;
  fetch.allow = {"*.example.org"};
  const Status status = StartWith(fetch);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
  const std::string metrics = Ask(Get("/metrics")).body;
  EXPECT_THAT(metrics, ::testing::HasSubstr("xcloud_fetches_open 0\n"));
  EXPECT_THAT(metrics, ::testing::HasSubstr("xcloud_fetch_lookups_open 0\n"));
  server_->Stop();
}

}  // namespace
}  // namespace xcloud
