// Deadlines and clients that go away, stage by stage; priorities; what a refusal costs.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class DeadlineTest : public ServerFixture {
 protected:
  // The head of a POST whose body is still to come.
  static std::string Head(const std::string& target, const std::string& headers) {
    return "POST " + target + " HTTP/1.1\r\nHost: t\r\nContent-Type: image/jpeg\r\n" + headers +
           "\r\n";
  }
  void AddGoal(const std::string& name, Duration goal, Priority priority = Priority::kNormal) {
    ServiceInfo info;
    info.name = name;
    info.latency_goal = goal;
    info.priority = priority;
    service_.AddService(info);
  }
  Duration Budget() {
    const InferenceRequest request = service_.requests().back();
    return request.deadline.when() - request.first_byte;
  }
  Priority LastPriority() { return service_.requests().back().priority; }
};

TEST_F(DeadlineTest, ExpiryIsAnsweredWhileTheBodyIsStillComing) {
  Start();
  for (const char* framing : {"Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client(port());
    client.Send(Head("/cv/demo?deadline_ms=200", framing));
    // Goes on sending; were the body read to its end, the answer would wait for body_timeout_ms.
    const bool chunked = std::string(framing).starts_with("T");
    while (!client.WaitReadable(1) && client.Send(chunked ? "1\r\nx\r\n" : "x")) {
    }
    const RawReply reply = client.Receive();
    ExpectError(reply, 504, 504, "deadline");
    EXPECT_EQ(reply.Header("connection"), "close");
    EXPECT_TRUE(client.ReadsEnd());
  }
  EXPECT_TRUE(service_.requests().empty()) << "nothing dead is handed on";
  EXPECT_EQ(call_log_.WaitFor(2)[1].http_status, 504);
  EXPECT_THAT(Ask(Get("/metrics")).body,
              testing::HasSubstr("xcloud_expiry_lateness_seconds_count{model=\"demo\"} 2"));
}

TEST_F(DeadlineTest, TheServicesGoalBoundsTheBodyToo) {
  AddGoal("goal", std::chrono::milliseconds(100));
  Start();
  RawClient client(port());
  client.Send(Head("/cv/goal", "Content-Length: 10\r\n"));
  ExpectError(client.Receive(), 504, 504, "deadline");
}

TEST_F(DeadlineTest, WhatStillComesAfterTheExpiryDoesNotDestroyTheAnswer) {
  Start();
  for (int i = 0; i < 10; ++i) {
    RawClient client(port());
    client.Send(Head("/cv/demo?deadline_ms=5", "Content-Length: 4000000\r\n") + "x");
    ASSERT_TRUE(client.WaitReadable(20'000));
    // It is read and dropped: closing with unread bytes would be a reset.
    EXPECT_TRUE(client.Send(std::string(1'000'000, 'x')));
    ExpectError(client.Receive(), 504, 504);
  }
}

TEST_F(DeadlineTest, ADeadlineThatEndsWithTheHeadIsRefusedBeforeAdmission) {
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo?timeout=1 HTTP/1.1\r\n");  // a microsecond: over before the next read
  EXPECT_EQ(Ask(Get("/livez")).status, 200) << "the first line was read";
  client.Send("Host: t\r\nContent-Length: 5\r\n\r\nphoto");
  const RawReply reply = client.Receive();
  ExpectError(reply, 504, 504, "deadline");
  EXPECT_EQ(service_.admit_calls(), 0U);
  EXPECT_EQ(client.Ask(PostImage()).status, 200) << "the small body was dropped";
}

TEST_F(DeadlineTest, ABodyThatStopsLongBeforeTheDeadlineIsStill408) {
  config_.body_timeout_ms = 30;
  Start();
  RawClient client(port());
  client.Send(Head("/cv/demo?deadline_ms=60000", "Content-Length: 10\r\n"));
  ExpectError(client.Receive(), 408, 408, "body");
}

TEST_F(DeadlineTest, TimeoutOnlyShortens) {
  using std::chrono::seconds;
  AddGoal("goal", seconds(7));
  Start();
  Ask(PostImage("/cv/goal?timeout=6000000"));
  EXPECT_EQ(Budget(), seconds(6)) << "microseconds, shorter than the goal";
  Ask(PostImage("/cv/goal?timeout=8000000"));
  EXPECT_EQ(Budget(), seconds(7)) << "longer than the goal";
  Ask(PostImage("/cv/goal?timeout=0"));
  EXPECT_EQ(Budget(), seconds(7)) << "0 = none";
  Ask(PostImage("/cv/goal?timeout=9223372036854775807"));
  EXPECT_EQ(Budget(), seconds(7)) << "no overflow";
  Ask(PostImage("/cv/goal?timeout=8000000&deadline_ms=9000"));
  EXPECT_EQ(Budget(), seconds(8)) << "the caller's own deadline is shortened too";
  Ask(PostForm("/cv/goal",
               FormPart("timeout", "5000000") + FormPart("image", "x", "x.jpg") + "--B--"));
  EXPECT_EQ(Budget(), seconds(5)) << "the form";
  Ask(PostImage("/cv/demo?timeout=3000000"));
  EXPECT_EQ(Budget(), seconds(3)) << "no goal: shorter than answer_timeout_ms";
  Ask(PostImage("/cv/demo?timeout=3000000000"));
  EXPECT_EQ(Budget(), seconds(3000)) << "no goal; the wait itself ends with answer_timeout_ms";
  for (const char* wrong : {"-1", "1.5", "soon", "", "99999999999999999999"}) {
    ExpectError(Ask(PostImage("/cv/goal?timeout=" + std::string(wrong))), 400, 400, "timeout");
  }
}

TEST_F(DeadlineTest, AnExpiredRequestThatWaitsIsAnsweredAndCancelled) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage("/cv/demo?timeout=30000"));
  const HeldRequest held = service_.Take();
  ExpectError(client.Receive(), 504, 504, "deadline");
  EXPECT_TRUE(held.request.cancel->Cancelled());
}

TEST_F(DeadlineTest, AClientThatLeavesWithinTheBodyIsNeverHandedOn) {
  Start();
  for (const char* framing : {"Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client(port());
    client.Send(Head("/cv/demo?deadline_ms=60000", framing));
    client.Close();
  }
  for (const CallRecord& record : call_log_.WaitFor(2)) EXPECT_EQ(record.http_status, 499);
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(DeadlineTest, AClientThatLeftBeforeItsBodyWasReadToTheEndIsSeenBehindIt) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage());
  client.Close();  // the whole request and its end may be read at once
  const HeldRequest held = service_.Take();
  EXPECT_EQ(call_log_.WaitFor(1)[0].http_status, 499);
  EXPECT_TRUE(held.request.cancel->Cancelled());
}

TEST_F(DeadlineTest, PriorityIsTheCallersElseTheServices) {
  AddGoal("low", Duration{}, Priority::kLow);
  Start();
  Ask(PostImage());
  EXPECT_EQ(LastPriority(), Priority::kNormal);
  Ask(PostImage("/cv/low"));
  EXPECT_EQ(LastPriority(), Priority::kLow);
  EXPECT_EQ(service_.admitted_priority(), Priority::kLow);
  Ask(PostImage("/cv/low?priority=high"));
  EXPECT_EQ(LastPriority(), Priority::kHigh);
  EXPECT_EQ(service_.admitted_priority(), Priority::kHigh);
  Ask(PostImage("/cv/demo?priority=high", "X-Priority: low\r\n"));
  EXPECT_EQ(LastPriority(), Priority::kLow) << "the header has the last word";
  Ask(PostForm("/cv/demo",
               FormPart("priority", "high") + FormPart("image", "x", "x.jpg") + "--B--"));
  EXPECT_EQ(LastPriority(), Priority::kHigh) << "the form";
  ExpectError(Ask(PostImage("/cv/demo?priority=1")), 400, 400, "high, normal or low");
  ExpectError(Ask(PostImage("/cv/demo", "X-Priority: urgent\r\n")), 400, 400, "priority");
}

TEST_F(DeadlineTest, ARefusedPhotoOfAMebibyteKeepsTheConnection) {
  config_.bodies_limit_bytes = 1024;  // what is dropped is not held
  service_.SetAdmit(Status::Overloaded("full", std::chrono::milliseconds(5)));
  Start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    const RawReply reply = client.Ask(Post("/cv/demo", "", std::string(1 << 20, 'x')));
    ExpectError(reply, 429, 429, "full");
    EXPECT_EQ(reply.Header("connection"), "");
  }
  const RawReply reply = client.Ask(Post("/cv/demo", "", std::string((1 << 20) + 1, 'x')));
  ExpectError(reply, 429, 429, "full");
  EXPECT_EQ(reply.Header("connection"), "close") << "longer to read than to connect again";
}

}  // namespace
}  // namespace xcloud
