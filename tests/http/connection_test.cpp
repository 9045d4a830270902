// What the server does with a connection: limits, timeouts, keep-alive, malformed HTTP.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class ConnectionTest : public ServerFixture {};

TEST_F(ConnectionTest, KeepsTheConnectionForTheNextRequest) {
  Start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    const RawReply reply = client.Ask(PostImage());
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.Header("connection"), "");
  }
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client(port());
  client.Send(PostImage("/cv/demo", "X-Request-Id: a\r\n") + Get("/livez", "X-Request-Id: b\r\n") +
              PostImage("/cv/demo", "X-Request-Id: c\r\n"));
  EXPECT_EQ(client.Receive().Header("x-request-id"), "a");
  EXPECT_EQ(client.Receive().Header("x-request-id"), "b");
  EXPECT_EQ(client.Receive().Header("x-request-id"), "c");
}

TEST_F(ConnectionTest, KeepsWhatIsPipelinedWhileAnAnswerIsMade) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage());
  HeldRequest first = service_.Take();
  client.Send(Get("/livez", "X-Request-Id: second\r\n"));
  // An answer to another connection shows that the io thread has seen the pipelined bytes.
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
  EXPECT_FALSE(first.request.cancel->Cancelled());
  first.done(service_.answer);
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_EQ(client.Receive().Header("x-request-id"), "second");
}

TEST_F(ConnectionTest, ClosesWhenTheClientAsks) {
  Start();
  RawClient client(port());
  EXPECT_EQ(client.Ask(Get("/livez", "Connection: close\r\n")).Header("connection"), "close");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(ConnectionTest, Http10ClosesUnlessAskedToKeep) {
  Start();
  RawClient old(port());
  EXPECT_EQ(old.Ask("GET /livez HTTP/1.0\r\n\r\n").Header("connection"), "close");
  EXPECT_TRUE(old.ReadsEnd());
  RawClient kept(port());
  const std::string keep = "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(kept.Ask(keep).Header("connection"), "keep-alive");
  EXPECT_EQ(kept.Ask(keep).status, 200);
}

TEST_F(ConnectionTest, EmptyLinesBeforeARequestAreSkipped) {
  Start();
  EXPECT_EQ(Ask("\r\n\r\n" + Get("/livez")).status, 200);
}

TEST_F(ConnectionTest, ALineBreakTooManyAfterABodyBeginsNoRequest) {
  config_.header_timeout_ms = 10;
  config_.idle_timeout_ms = 100;
  Start();
  RawClient client(port());
  EXPECT_EQ(client.Ask(PostImage() + "\r\n").status, 200);
  EXPECT_TRUE(client.ReadsEnd()) << "it is idle, and not a header that stops (408)";
}

TEST_F(ConnectionTest, MalformedHttpIs400AndClosed) {
  Start();
  const std::string bad[] = {
      "nonsense\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/1.1\r\nHost t\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : t\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: +1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nContent-Length:\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1, 1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: t\r\nA: " + std::string(1, '\0') + "\r\n\r\n",
  };
  for (const std::string& request : bad) {
    RawClient client(port());
    const RawReply reply = client.Ask(request);
    ExpectError(reply, 400, 400);
    EXPECT_EQ(reply.Header("connection"), "close") << request;
    EXPECT_TRUE(client.ReadsEnd()) << request;
  }
  ExpectError(Ask("GET / HTTP/2.0\r\nHost: t\r\n\r\n"), 505, 505);
  ExpectError(Ask("GET / HTTP/1.1\nHost: t\n\n"), 505, 505);
  ExpectError(Ask("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n"), 501, 501);
  ExpectError(Ask("GET / HTTP/1.1\r\nHost: t\r\nExpect: cake\r\n\r\n"), 417, 417);
}

TEST_F(ConnectionTest, MalformedChunksAre400AndClosed) {
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
  ExpectError(client.Receive(), 400, 400, "chunked");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(ConnectionTest, AHeaderAtTheLimitIsReadAndOneByteOverIs431) {
  config_.header_limit_bytes = 512;
  Start();
  const std::string around = Get("/livez", "A: \r\n");
  const auto padded = [&](std::size_t size) {
    return Get("/livez", "A: " + std::string(size - around.size(), 'a') + "\r\n");
  };
  EXPECT_EQ(Ask(padded(512)).status, 200);
  ExpectError(Ask(padded(513)), 431, 431, "512");
  ExpectError(Ask(std::string(600, 'G')), 431, 431);
}

TEST_F(ConnectionTest, BodiesOverWhatAllMayHoldTogetherAre503AndTheNextOnesAreRead) {
  config_.bodies_limit_bytes = 4096;
  Start();
  for (const char* headers : {"", "Transfer-Encoding: chunked\r\n"}) {
    const std::string body(5000, 'x');
    const bool chunked = *headers != '\0';
    const std::string sent = chunked ? "1388\r\n" + body + "\r\n0\r\n\r\n" : body;
    const RawReply refused =
        chunked ? Ask("POST /cv/demo HTTP/1.1\r\nHost: h\r\nContent-Type: image/jpeg\r\n" +
                      std::string(headers) + "\r\n" + sent)
                : Ask(Post("/cv/demo", "Content-Type: image/jpeg\r\n", sent));
    ExpectError(refused, 503, 503, "bytes of bodies");
    EXPECT_EQ(refused.Header("retry-after"), "1");
    // What the refused one had taken is given back.
    EXPECT_EQ(Ask(Post("/cv/demo", "Content-Type: image/jpeg\r\n", std::string(4000, 'x'))).status,
              200);
  }
}

TEST_F(ConnectionTest, ABodyAtTheLimitIsReadAndOneByteOverIs413) {
  config_.body_limit_bytes = 1024;
  Start();
  EXPECT_EQ(Ask(Post("/cv/demo", "", std::string(1024, 'x'))).status, 200);
  ExpectError(Ask(Post("/cv/demo", "", std::string(1025, 'x'))), 413, 413, "1024");
  EXPECT_EQ(service_.requests().size(), 1U);
}

TEST_F(ConnectionTest, ABodyOverTheLimitIsRefusedBeforeItIsSent) {
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\n");
  const RawReply reply = client.Receive();
  ExpectError(reply, 413, 413);
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(client.ReadsEnd());
  EXPECT_EQ(service_.admit_calls(), 0U);
}

TEST_F(ConnectionTest, AChunkedBodyOverTheLimitIsRefusedWhileItComes) {
  config_.body_limit_bytes = 1024;
  Start();
  const std::string head =
      "POST /cv/demo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "200\r\n" + std::string(512, 'x') + "\r\n";
  EXPECT_EQ(Ask(head + chunk + chunk + "0\r\n\r\n").status, 200);
  RawClient client(port());
  client.Send(head + chunk + chunk + "1\r\n");
  ExpectError(client.Receive(), 413, 413);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(ConnectionTest, AnUnreadBodyDoesNotDestroyTheRefusal) {
  config_.body_limit_bytes = 1 << 20;
  Start();
  for (int i = 0; i < 20; ++i) {
    ExpectError(Ask(Post("/cv/demo", "", std::string(3 << 20, 'x'))), 413, 413);
  }
}

TEST_F(ConnectionTest, Expect100IsAnsweredAtOnce) {
  Start();
  RawClient client(port());
  client.Send(
      "POST /cv/demo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
      "\r\n");
  EXPECT_EQ(client.Receive().status, 100);
  client.Send("photo");
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_EQ(service_.requests().back().image, "photo");
}

TEST_F(ConnectionTest, Expect100IsRefusedWithTheFinalStatus) {
  config_.body_limit_bytes = 1024;
  Start();
  const std::string expect = "Expect: 100-continue\r\n";
  RawClient large(port());
  ExpectError(
      large.Ask("POST /cv/demo HTTP/1.1\r\nHost: t\r\n" + expect + "Content-Length: 1025\r\n\r\n"),
      413, 413);
  EXPECT_TRUE(large.ReadsEnd());
  service_.SetAdmit(Status::Overloaded("full", std::chrono::milliseconds(5)));
  RawClient overload(port());
  const RawReply reply =
      overload.Ask("POST /cv/demo HTTP/1.1\r\nHost: t\r\n" + expect + "Content-Length: 5\r\n\r\n");
  ExpectError(reply, 429, 429);
  EXPECT_EQ(reply.Header("connection"), "close") << "nobody knows whether the body will come";
}

TEST_F(ConnectionTest, OneConnectionOverTheMostIs503AndClosed) {
  config_.max_connections = 1;
  Start();
  RawClient first(port());
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200);
  RawClient second(port());
  second.Send(Get("/livez"));
  const RawReply reply = second.Receive();
  ExpectError(reply, 503, 503, "too many connections");
  EXPECT_EQ(reply.Header("retry-after"), "1");
  EXPECT_TRUE(second.ReadsEnd());
  EXPECT_EQ(
      metrics_.GetCounter("xcloud_connections_refused_total", "", {{"reason", "total"}}).value(),
      1U);
  EXPECT_EQ(first.Ask(Get("/livez")).status, 200) << "the first is not disturbed";
}

TEST_F(ConnectionTest, SpreadsConnectionsOverTheIoThreads) {
  config_.io_threads = 3;
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 9; ++i) clients.push_back(std::make_unique<RawClient>(port()));
  for (const auto& client : clients) client->Send(PostImage());
  for (const auto& client : clients) EXPECT_EQ(client->Receive().status, 200);
}

TEST_F(ConnectionTest, AnIdleConnectionIsClosed) {
  config_.idle_timeout_ms = 50;
  Start();
  RawClient silent(port());
  EXPECT_TRUE(silent.ReadsEnd()) << "before its first request";
  RawClient client(port());
  EXPECT_EQ(client.Ask(Get("/livez")).status, 200);
  EXPECT_TRUE(client.ReadsEnd()) << "between requests";
}

TEST_F(ConnectionTest, AHeaderThatStopsIs408) {
  config_.header_timeout_ms = 50;
  Start();
  RawClient client(port());
  ExpectError(client.Ask("GET /livez HTTP/1.1\r\nHos"), 408, 408, "header");
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(ConnectionTest, AHeaderSentByteByByteIs408AllTheSame) {
  config_.header_timeout_ms = 100;
  Start();
  RawClient client(port());
  client.Send("GET /livez HTTP/1.1\r\nHost: t\r\nA: ");
  // Were the limit per read, this would go on until the header is over its size: 431.
  while (!client.WaitReadable(2) && client.Send("a")) {
  }
  ExpectError(client.Receive(), 408, 408);
}

TEST_F(ConnectionTest, ABodyThatStopsIs408) {
  config_.body_timeout_ms = 50;
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  ExpectError(client.Receive(), 408, 408, "body");
  EXPECT_TRUE(client.ReadsEnd());
  EXPECT_EQ(call_log_.WaitFor(1)[0].http_status, 408);
}

TEST_F(ConnectionTest, AnAnswerThatIsNotReadIsGivenUp) {
  config_.write_timeout_ms = 50;
  // More than the socket buffers of both ends can hold.
  service_.answer.predictions = {{0, std::string(16 << 20, 'x'), 1.0F}};
  Start();
  RawClient client(port(), 4096);
  client.Send(PostImage());
  call_log_.WaitFor(1);
  EXPECT_LT(client.DrainBytes(), 16U << 20) << "it was cut off";
}

TEST_F(ConnectionTest, ALargeAnswerArrivesWhole) {
  service_.answer.predictions = {{0, std::string(8 << 20, 'x'), 1.0F}};
  Start();
  RawClient client(port());
  const RawReply reply = client.Ask(PostImage());
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(Json::parse(reply.body)["data"][0]["category"].get<std::string>().size(), 8U << 20);
  EXPECT_EQ(client.Ask(Get("/livez")).status, 200);
}

TEST_F(ConnectionTest, ALargeBodyArrivesWhole) {
  Start();
  std::string body(3'000'001, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 251);
  RawClient client(port());
  EXPECT_EQ(client.Ask(Post("/cv/demo", "", body)).status, 200);
  EXPECT_EQ(service_.requests().back().image, body);
}

TEST_F(ConnectionTest, StartNamesWhatItCannotBind) {
  Start();
  ServerConfig taken = config_;
  taken.port = port();
  HttpServer second(taken, service_, call_log_, metrics_, clock_);
  const Status status = second.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:" + std::to_string(port())));
  ServerConfig bad = config_;
  bad.address = "localhost";
  HttpServer third(bad, service_, call_log_, metrics_, clock_);
  EXPECT_THAT(third.Start().message(), HasSubstr("'localhost' is not an IP address"));
}

}  // namespace
}  // namespace xcloud
