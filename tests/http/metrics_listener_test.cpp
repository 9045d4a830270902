// server.metrics and server.metrics_port: where /metrics is, and that nothing else is there.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class MetricsListenerTest : public ServerFixture {
 protected:
  // Free just now.
  static std::uint16_t FreePort() {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(probe, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size), 0);
    close(probe);
    return ntohs(address.sin_port);
  }
};

TEST_F(MetricsListenerTest, ServesMetricsAndNothingElseAlsoWhileTheServerDrains) {
  const std::uint16_t port = FreePort();
  config_.metrics_port = port;
  Start();
  Ask(Get("/livez"));
  const RawReply metrics = RawClient(port).Ask(Get("/metrics"));
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.body, HasSubstr("endpoint=\"GET /livez\""));
  EXPECT_THAT(metrics.body, HasSubstr("xcloud_connections{listener=\"metrics\"} 1\n"));
  EXPECT_EQ(RawClient(port).Ask(Get("/livez")).status, 404);
  EXPECT_EQ(RawClient(port).Ask(PostImage()).status, 404);
  EXPECT_EQ(Ask(Get("/metrics")).status, 200) << "on the main port as well";
  server_->BeginDrain();
  EXPECT_EQ(RawClient(port).Ask(Get("/metrics")).status, 200);
  server_->Stop();
  EXPECT_FALSE(RawClient(port).connected());
}

TEST_F(MetricsListenerTest, APortThatIsTakenStopsTheStart) {
  Start();
  config_.metrics_port = port();
  HttpServer second(config_, service_, call_log_, metrics_, clock_);
  const Status status = second.Start();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(port())));
}

TEST_F(MetricsListenerTest, WithMetricsOffThereAreNone) {
  const std::uint16_t port = FreePort();
  config_.metrics_port = port;
  config_.metrics = false;
  Start();
  ExpectError(Ask(Get("/metrics")), 404, 404, "server.metrics");
  EXPECT_FALSE(RawClient(port).connected());
}

}  // namespace
}  // namespace xcloud
