// What one client can do to the server, and what it is told: connections, chunks, headers,
// pipelining, dripping, Expect: 100-continue, and a process that is out of file descriptors.
#include <sys/resource.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

class LimitsTest : public ServerFixture {
 protected:
  std::uint64_t Refused(const char* reason) {
    return metrics_.GetCounter("xcloud_connections_refused_total", "", {{"reason", reason}})
        .value();
  }
  static std::string Head(const std::string& target, const std::string& headers) {
    return "POST " + target + " HTTP/1.1\r\nHost: t\r\n" + headers + "\r\n";
  }
};

TEST_F(LimitsTest, OneConnectionOverTheMostOfAnAddressIs429AndClosed) {
  config_.max_connections_per_address = 2;
  Start();
  RawClient first(port());
  RawClient second(port());
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200);
  EXPECT_EQ(second.Ask(Get("/livez")).status, 200);
  RawClient third(port());
  third.Send(Get("/livez"));
  const RawReply reply = third.Receive();
  ExpectError(reply, 429, 429, "from this address");
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_EQ(reply.Header("retry-after"), "1");
  EXPECT_TRUE(third.ReadsEnd());
  EXPECT_EQ(Refused("address"), 1U);
  EXPECT_EQ(Refused("total"), 0U);
  RawClient other(port(), 0, "127.0.0.2");
  EXPECT_EQ(other.Ask(Get("/livez")).status, 200) << "another address is not disturbed";
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200);
  // The place of one that ends is free again, once the server has seen the end.
  second.Close();
  while (RawClient(port()).Ask(Get("/livez")).status != 200) {
  }
}

TEST_F(LimitsTest, ARefusedClientThatGoesOnSendingIsCut) {
  config_.max_connections_per_address = 1;
  Start();
  RawClient first(port());
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200);
  RawClient second(port());
  const std::string piece(1024, 'x');
  while (second.Send(piece)) {  // reads nothing; ends when the server has closed
  }
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200);
}

TEST_F(LimitsTest, OneChunkOverTheMostIs413) {
  Start();
  std::string chunks;
  for (int i = 0; i < 65'536; ++i) chunks += "1\r\nx\r\n";
  const std::string head = Head("/cv/demo", "Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(Ask(head + chunks + "0\r\n\r\n").status, 200);
  EXPECT_EQ(service_.requests().back().image.size(), 65'536U);
  RawClient client(port());
  client.Send(head + chunks + "1\r\nx\r\n");
  ExpectError(client.Receive(), 413, 413, "Chunked request body exceeds maximum of 65536");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(LimitsTest, AMillionChunksOfOneByteAreRefused) {
  Start();
  RawClient client(port());
  client.Send(Head("/cv/demo", "Transfer-Encoding: chunked\r\n"));
  std::string chunks;
  for (int i = 0; i < 10'000; ++i) chunks += "1\r\nx\r\n";
  for (int i = 0; i < 100 && client.Send(chunks); ++i) {
  }
  ExpectError(client.Receive(), 413, 413, "Chunked request body exceeds maximum of");
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(LimitsTest, OneHeaderOverTheMostIs431) {
  Start();
  std::string headers;
  for (int i = 0; i < 99; ++i) headers += "A: b\r\n";
  EXPECT_EQ(Ask(Get("/livez", headers)).status, 200);
  RawClient client(port());
  ExpectError(client.Ask(Get("/livez", headers + "A: b\r\n")), 431, 431, "100 headers");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(LimitsTest, ManyPipelinedRequestsAreAnsweredInOrder) {
  Start();
  RawClient client(port());
  constexpr int kRequests = 2000;
  std::thread sender([&] {
    for (int i = 0; i < kRequests; ++i) {
      client.Send(Get("/livez", "X-Request-Id: " + std::to_string(i) + "\r\n"));
    }
  });
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_EQ(client.Receive().Header("x-request-id"), std::to_string(i));
  }
  sender.join();
}

TEST_F(LimitsTest, AClientThatPipelinesAndDoesNotReadIsCut) {
  config_.write_timeout_ms = 50;
  Start();
  RawClient client(port(), 4096);
  std::string batch;
  for (int i = 0; i < 100; ++i) batch += Get("/metrics");
  // A million requests, were they taken; the answers fill both sockets, and the server stops
  // reading until it cuts the connection.
  int batches = 0;
  while (batches < 10'000 && client.Send(batch)) ++batches;
  EXPECT_LT(batches, 10'000);
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
}

TEST_F(LimitsTest, ADrippedBodyIs408AsIfItStoodStill) {
  config_.body_timeout_ms = 60;
  config_.body_min_bytes_per_s = 1'000'000;
  Start();
  RawClient client(port());
  client.Send(Head("/cv/demo", "Content-Length: 100000\r\n"));
  // Were the limit per read, this would go on to the end of the body.
  while (!client.WaitReadable(1) && client.Send("x")) {
  }
  ExpectError(client.Receive(), 408, 408, "body");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(LimitsTest, ABodyThatComesFastEnoughMayTakeLongerThanTheTimeout) {
  config_.body_timeout_ms = 300;  // more than a busy machine takes between the first two steps
  config_.body_min_bytes_per_s = 1;
  Start();
  const std::string head = Head("/cv/demo", "Content-Length: 60\r\n");
  RawClient steady(port());
  steady.Send(head);
  EXPECT_EQ(Ask(Get("/livez")).status, 200) << "the head was read";
  steady.Send(std::string(59, 'x'));  // a minute of credit
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
  RawClient still(port());
  ExpectError(still.Ask(head), 408, 408);  // began later, so the other's time is over too
  EXPECT_FALSE(steady.WaitReadable(0));
  EXPECT_EQ(steady.Ask("x").status, 200);
}

TEST_F(LimitsTest, WithoutAMinimumRateTheBodyTimeoutIsTheEnd) {
  config_.body_timeout_ms = 60;
  config_.body_min_bytes_per_s = 0;
  Start();
  RawClient client(port());
  client.Send(Head("/cv/demo", "Content-Length: 60\r\n") + std::string(20, 'x'));
  client.Send(std::string(20, 'x'));
  ExpectError(client.Receive(), 408, 408, "body");
}

TEST_F(LimitsTest, BodiesThatAreOnlyClaimedLeaveRoomForOneThatComes) {
  config_.bodies_limit_bytes = 1 << 20;
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    for (const char* beginning : {"", "x"}) {
      clients.push_back(std::make_unique<RawClient>(port()));
      clients.back()->Send(Head("/cv/demo", "Content-Length: 200000\r\n") + beginning);
    }
  }
  EXPECT_EQ(Ask(Get("/livez")).status, 200) << "the heads were read";
  EXPECT_EQ(Ask(Post("/cv/demo", "", std::string(200'000, 'x'))).status, 200);
}

TEST_F(LimitsTest, Expect100IsRefusedBeforeAny100) {
  config_.body_limit_bytes = 1024;
  Start();
  const std::string expect = "Expect: 100-continue\r\n";
  const std::string sized = expect + "Content-Length: 5\r\n";
  const std::string chunked = expect + "Transfer-Encoding: chunked\r\n";
  const std::pair<std::string, int> refused[] = {
      {Head("/cv/none", sized), 404},
      {Head("/nowhere", sized), 404},
      {Head("/nowhere", chunked), 404},
      {Head("/livez", sized), 405},
      {Head("/cv/demo", sized + "Content-Type: text/plain\r\n"), 415},
      {Head("/cv/demo", chunked + "Content-Type: text/plain\r\n"), 415},
      {Head("/cv/demo", sized + "Content-Encoding: br\r\n"), 415},
      {Head("/cv/demo", expect + "Content-Length: 1025\r\n"), 413},
      {Head("/cv/demo", "Expect: 100-continue, cake\r\nContent-Length: 5\r\n"), 417},
  };
  for (const auto& [request, status] : refused) {
    RawClient client(port());
    const RawReply reply = client.Ask(request);
    EXPECT_EQ(reply.status, status) << request;
    EXPECT_EQ(reply.Header("connection"), "close") << request;
    EXPECT_TRUE(client.ReadsEnd()) << request;
  }
}

TEST_F(LimitsTest, Expect100OfChunksIsAnsweredAndHttp10IsNotToldAny) {
  Start();
  RawClient client(port());
  client.Send(Head("/cv/demo", "expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_EQ(client.Receive().status, 100);
  EXPECT_EQ(client.Ask("5\r\nphoto\r\n0\r\n\r\n").status, 200);
  const std::string rest = "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nphoto";
  EXPECT_EQ(Ask("POST /cv/demo HTTP/1.0\r\n" + rest).status, 200);
  EXPECT_EQ(Ask("POST /cv/demo HTTP/1.1\r\nHost: t\r\n" + rest).status, 200) << "it did not wait";
}

// The process has no descriptor left: what connects waits, the server does not spin, and serves
// once there is one.
TEST_F(LimitsTest, WithoutDescriptorsItWaitsAndTriesAgain) {
  Start();
  Counter& failures = metrics_.GetCounter("xcloud_accept_failures_total", "");
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = dup(client);  // every number below it is taken
  close(lowest);
  const rlimit none{static_cast<rlim_t>(lowest), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  while (failures.value() < 4) std::this_thread::yield();
  const auto passed = std::chrono::steady_clock::now() - began;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_GE(passed, std::chrono::milliseconds(60)) << "three pauses; never less, however slow";
  const std::string request = Get("/livez", "Connection: close\r\n");
  EXPECT_EQ(send(client, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  char answer[16] = {};
  EXPECT_GT(recv(client, answer, 12, MSG_WAITALL), 0);
  EXPECT_EQ(std::string(answer), "HTTP/1.1 200");
  close(client);
}

}  // namespace
}  // namespace xcloud
