// Deadlines, clients that go away, and the two-phase stop.
#include <atomic>
#include <thread>

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

class LifecycleTest : public ServerFixture {
 protected:
  TimePoint Soon() const { return clock_.Now() + std::chrono::seconds(20); }
};

TEST_F(LifecycleTest, AnAnswerMayComeFromAnotherThread) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage());
  HeldRequest held = service_.Take();
  std::thread lane([&] { held.done(service_.answer); });
  EXPECT_EQ(client.Receive().status, 200);
  lane.join();
}

TEST_F(LifecycleTest, TheDeadlineIsAnsweredOnTimeAndALateAnswerIsDropped) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage("/cv/demo?deadline_ms=50"));
  HeldRequest held = service_.Take();
  ExpectError(client.Receive(), 504, 504, "deadline");
  EXPECT_TRUE(held.request.cancel->Cancelled());
  held.done(service_.answer);
  client.Send(PostImage());
  HeldRequest next = service_.Take();
  next.done(service_.answer);
  EXPECT_EQ(client.Receive().status, 200) << "the late answer is not taken for this one's";
  EXPECT_EQ(call_log_.WaitFor(1)[0].http_status, 504);
}

TEST_F(LifecycleTest, AServiceWithoutAGoalIsBoundedByTheAnswerTimeout) {
  config_.answer_timeout_ms = 50;
  service_.Hold();
  Start();
  RawClient client(port());
  ExpectError(client.Ask(PostImage()), 504, 504);
}

TEST_F(LifecycleTest, AClientThatGoesAwayCancelsItsRequest) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage());
  const HeldRequest held = service_.Take();
  EXPECT_FALSE(held.request.cancel->Cancelled());
  client.Close();
  const CallRecord record = call_log_.WaitFor(1)[0];
  EXPECT_EQ(record.http_status, 499);
  EXPECT_TRUE(held.request.cancel->Cancelled());
}

TEST_F(LifecycleTest, AClientThatGoesAwayBehindPipelinedBytesCancelsToo) {
  service_.Hold();
  Start();
  RawClient client(port());
  client.Send(PostImage() + Get("/livez"));
  const HeldRequest held = service_.Take();
  client.Send(Get("/livez"));
  client.Close();
  EXPECT_EQ(call_log_.WaitFor(1)[0].http_status, 499);
  EXPECT_TRUE(held.request.cancel->Cancelled());
}

TEST_F(LifecycleTest, DrainAnswersWhatIsInFlightAndTakesNothingNew) {
  service_.Hold();
  Start();
  RawClient idle(port());
  EXPECT_EQ(idle.Ask(Get("/livez")).status, 200);
  RawClient busy(port());
  busy.Send(PostImage());
  HeldRequest held = service_.Take();
  EXPECT_TRUE(server_->Ready().ok());
  server_->BeginDrain();
  EXPECT_EQ(server_->Ready().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(idle.ReadsEnd()) << "an idle connection is closed";
  EXPECT_FALSE(RawClient(port()).connected()) << "the port is closed";
  EXPECT_FALSE(server_->WaitDrained(clock_.Now())) << "one is in flight";
  held.done(service_.answer);
  const RawReply reply = busy.Receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(busy.ReadsEnd());
  EXPECT_TRUE(server_->WaitDrained(Soon()));
  EXPECT_EQ(call_log_.counters().appended, 1U) << "logged before the connection counts as ended";
}

TEST_F(LifecycleTest, ARequestHalfReadWhenDrainBeginsIsAnswered) {
  Start();
  RawClient client(port());
  client.Send(
      "POST /cv/demo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
      "\r\n");
  EXPECT_EQ(client.Receive().status, 100);
  server_->BeginDrain();
  client.Send("photo");
  const RawReply reply = client.Receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(server_->WaitDrained(Soon()));
}

TEST_F(LifecycleTest, StopCutsWhatIsLeftAndCancelsIt) {
  config_.io_threads = 2;
  service_.Hold();
  Start();
  RawClient first(port());
  RawClient second(port());
  RawClient half(port());
  first.Send(PostImage());
  second.Send(PostImage());
  half.Send("GET /live");
  HeldRequest a = service_.Take();
  HeldRequest b = service_.Take();
  server_->BeginDrain();
  server_->BeginDrain();
  server_->Stop();
  server_->Stop();
  EXPECT_TRUE(a.request.cancel->Cancelled());
  EXPECT_TRUE(b.request.cancel->Cancelled());
  EXPECT_TRUE(first.ReadsEnd());
  EXPECT_TRUE(second.ReadsEnd());
  EXPECT_TRUE(half.ReadsEnd());
  EXPECT_TRUE(server_->WaitDrained(clock_.Now()));
  a.done(service_.answer);  // late, after the threads are gone
  server_.reset();
  b.done(service_.answer);  // and after the server is gone
}

TEST_F(LifecycleTest, AServerThatNeverStartedStops) {
  HttpServer server(config_, service_, call_log_, metrics_, clock_);
  server.BeginDrain();
  EXPECT_TRUE(server.WaitDrained(clock_.Now()));
  server.Stop();
  EXPECT_EQ(server.port(), 0);
}

// The sanitizers' case: answers from several lanes while connections come, go and are cut.
TEST_F(LifecycleTest, SurvivesClientsAndLanesThatRace) {
  config_.io_threads = 2;
  service_.Hold();
  Start();
  constexpr int kRequests = 300;
  constexpr int kLanes = 3;
  std::vector<std::thread> threads;
  for (int lane = 0; lane < kLanes; ++lane) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRequests / kLanes; ++i) {
        HeldRequest held = service_.Take();
        InferenceResult result = service_.answer;
        PuppetInferenceService::FillStages(held.request, result);
        held.done(std::move(result));
      }
    });
  }
  std::atomic<int> answered{0};
  std::atomic<int> left{0};
  constexpr int kClients = 3;
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([&, c] {
      for (int i = 0; i < kRequests / kClients; ++i) {
        RawClient client(port());
        client.Send(PostImage());
        if (i % 3 == c) {  // goes away at once
          left.fetch_add(1);
          continue;
        }
        if (client.Receive().status == 200) answered.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered + left, kRequests);
  EXPECT_EQ(call_log_.WaitFor(kRequests).size(), static_cast<std::size_t>(kRequests));
}

}  // namespace
}  // namespace xcloud
