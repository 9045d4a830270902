// Real sockets; the server's script decides what happens, so nothing here depends on how fast
// the machine is: latencies are bounded from below by what the script waited for.

#include "bench/load_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "tests/bench/scripted_server.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Failures = std::map<std::string, std::uint64_t>;

std::vector<PreparedRequest> OneRequest(std::size_t bytes = 100) {
  BenchOptions options;
  const TargetUrl target = *ParseTargetUrl("http://127.0.0.1/cv/x");
  return {PrepareRequest(target, options, {"a.jpg", "image/jpeg", std::string(bytes, 'p')})};
}

std::vector<Duration> EveryMs(std::int64_t gap_ms, std::size_t count) {
  std::vector<Duration> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(milliseconds(gap_ms * static_cast<std::int64_t>(i)));
  }
  return out;
}

LoadLimits Patient(std::size_t connections) {
  LoadLimits limits;
  limits.max_connections = connections;
  limits.timeout = std::chrono::minutes(5);  // never in a test
  limits.slo = std::chrono::minutes(5);
  return limits;
}

// Fails unless the r-th fastest answer took at least (r - 1) gaps: what a stall that ends at the
// last intended send costs requests that were meant to leave one gap apart.
void ExpectStallCharged(const LatencyHistogram& latency, std::size_t count, std::int64_t gap_ms) {
  ASSERT_EQ(latency.count(), count);
  for (std::size_t rank = 1; rank <= count; ++rank) {
    // Half a rank less, so that rounding cannot pick the next one.
    const double share = (static_cast<double>(rank) - 0.5) / static_cast<double>(count);
    const double least = static_cast<double>(gap_ms) * static_cast<double>(rank - 1);
    EXPECT_GE(ToMilliseconds(latency.Percentile(share)),
              least * (1 - LatencyHistogram::kRelativeError))
        << "rank " << rank;
  }
}

ScriptedReply AlwaysOk(std::size_t) {
  return {};
}
ScriptedReply NeverAnswer(std::size_t) {
  return {Fate::kHold};
}

TEST(LoadGeneratorTest, KeepsSendingWhileTheServerStallsAndChargesTheStall) {
  constexpr std::size_t kCount = 20;
  std::unique_ptr<ScriptedServer> server;
  // Answers nothing until every request has arrived: only an open loop gets that far.
  server = std::make_unique<ScriptedServer>([&](std::size_t number) {
    if (number + 1 < kCount) return ScriptedReply{Fate::kHold};
    server->Release();
    return ScriptedReply{};
  });
  LoadGenerator generator(server->address(), OneRequest(), Patient(64));
  const LoadResult result = generator.RunOpen(EveryMs(5, kCount), milliseconds(100));
  EXPECT_EQ(result.offered, kCount);
  EXPECT_EQ(result.ok, kCount);
  EXPECT_EQ(result.within_slo, kCount);
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.held, 0U);
  EXPECT_GE(result.peak_connections, kCount);
  ExpectStallCharged(result.latency, kCount, 5);
}

TEST(LoadGeneratorTest, CountsLatencyFromTheIntendedSendWhenTheConnectionBoundHoldsItBack) {
  constexpr std::size_t kCount = 20;
  ScriptedServer server(
      [](std::size_t number) { return ScriptedReply{number == 0 ? Fate::kHold : Fate::kAnswer}; });
  LoadHooks hooks;
  // The first answer comes when the last request is due, not before.
  hooks.on_due = [&](std::uint64_t offered) {
    if (offered == kCount) server.Release();
  };
  LoadLimits limits = Patient(1);
  limits.late = std::chrono::hours(1);  // only the bound may make it "behind" here
  LoadGenerator generator(server.address(), OneRequest(), limits, hooks);
  const LoadResult result = generator.RunOpen(EveryMs(2, kCount), milliseconds(40));
  EXPECT_EQ(result.ok, kCount);
  EXPECT_EQ(result.peak_connections, 1U);
  // A generator that timed from the actual send would tell one slow answer and 19 fast ones.
  ExpectStallCharged(result.latency, kCount, 2);
  EXPECT_EQ(result.held, kCount - 1);
  EXPECT_EQ(result.behind, kCount - 1);
  EXPECT_EQ(result.late, 0U);
  EXPECT_GE(result.send_lag.max(), milliseconds(36));
}

TEST(LoadGeneratorTest, CountsItsOwnLateWakeUps) {
  ScriptedServer server(AlwaysOk);
  LoadLimits limits = Patient(8);
  limits.late = Duration(-1);  // even a punctual timer is later than that
  LoadGenerator generator(server.address(), OneRequest(), limits);
  const LoadResult result = generator.RunOpen(EveryMs(1, 5), milliseconds(5));
  EXPECT_EQ(result.late, 5U);
  EXPECT_EQ(result.behind, 5U);
  EXPECT_EQ(result.behind_share(), 1);
}

TEST(LoadGeneratorTest, CountsFailuresByKind) {
  ScriptedServer server([](std::size_t number) -> ScriptedReply {
    switch (number % 4) {
      case 0:
        return {Fate::kAnswer, 200};
      case 1:
        return {Fate::kAnswer, 503};
      case 2:
        return {Fate::kAnswer, 429};
      default:
        return {Fate::kGarble};
    }
  });
  LoadGenerator generator(server.address(), OneRequest(), Patient(4));
  const LoadResult result = generator.RunOpen(EveryMs(0, 12), milliseconds(1));
  EXPECT_EQ(result.ok, 3U);
  EXPECT_EQ(result.latency.count(), 3U) << "failures must not be in the latencies";
  EXPECT_THAT(result.failures, ElementsAre(Pair("broken: bad version", 3U), Pair("http 429", 3U),
                                           Pair("http 503", 3U)));
}

TEST(LoadGeneratorTest, AConnectionDroppedWithoutAnAnswerIsAFailureAndReplaced) {
  ScriptedServer server(
      [](std::size_t number) { return ScriptedReply{number == 0 ? Fate::kDrop : Fate::kAnswer}; });
  LoadGenerator generator(server.address(), OneRequest(), Patient(1));
  const LoadResult result = generator.RunOpen(EveryMs(0, 3), milliseconds(1));
  EXPECT_EQ(result.ok, 2U);
  EXPECT_THAT(result.failures, ElementsAre(Pair("broken: end of stream", 1U)));
  EXPECT_EQ(result.connections_opened, 2U);
}

TEST(LoadGeneratorTest, AnUnansweredRequestTimesOutAndThoseBehindItAreUnsent) {
  ScriptedServer server(NeverAnswer);
  LoadLimits limits = Patient(1);
  limits.timeout = milliseconds(300);
  LoadGenerator generator(server.address(), OneRequest(), limits);
  // All meant to leave at once over one connection: the first is sent, and when it times out the
  // others have run out of time unsent.
  const LoadResult result = generator.RunOpen(EveryMs(0, 3), milliseconds(1));
  EXPECT_EQ(result.ok, 0U);
  EXPECT_THAT(result.failures, ElementsAre(Pair("timeout", 1U), Pair("unsent", 2U)));
  EXPECT_GE(result.elapsed, milliseconds(300));
}

TEST(LoadGeneratorTest, CountsRefusedConnectsInBothModes) {
  const LoadServer nobody{"127.0.0.1", UnusedPort()};
  LoadGenerator generator(nobody, OneRequest(), Patient(8));
  const LoadResult open = generator.RunOpen(EveryMs(1, 5), milliseconds(5));
  EXPECT_THAT(open.failures, ElementsAre(Pair("connect: Connection refused", 5U)));
  const LoadResult closed = generator.RunClosed({2, Duration(0), milliseconds(20)});
  EXPECT_EQ(closed.ok, 0U);
  EXPECT_GE(closed.failures.at("connect: Connection refused"), 2U);
}

TEST(LoadGeneratorTest, SeesARefusalThatComesBeforeTheBodyWasRead) {
  ScriptedServer server(AlwaysOk);
  server.RefuseBeforeBody(429);
  // More than the sockets can buffer: the write cannot finish.
  LoadGenerator generator(server.address(), OneRequest(std::size_t{64} << 20), Patient(1));
  const LoadResult result = generator.RunOpen(EveryMs(0, 2), milliseconds(1));
  EXPECT_THAT(result.failures, ElementsAre(Pair("http 429", 2U)));
  EXPECT_EQ(result.connections_opened, 2U) << "half a request is on the first: not reusable";
}

TEST(LoadGeneratorTest, AClosedLoopClientWaitsForItsAnswer) {
  std::unique_ptr<ScriptedServer> server;
  std::atomic<bool> answered{false};
  // Answers the two clients' first requests only when both are there.
  server = std::make_unique<ScriptedServer>([&](std::size_t number) -> ScriptedReply {
    if (number == 1) {
      answered = true;
      server->Release();
    }
    return {number < 2 ? Fate::kHold : Fate::kAnswer};
  });
  LoadHooks hooks;
  bool sent_again_unanswered = false;
  hooks.on_due = [&](std::uint64_t offered) {
    if (offered > 2 && !answered) sent_again_unanswered = true;
  };
  LoadGenerator generator(server->address(), OneRequest(), Patient(8), hooks);
  const LoadResult result = generator.RunClosed({2, Duration(0), milliseconds(50)});
  EXPECT_FALSE(sent_again_unanswered);
  EXPECT_GE(result.ok, 2U);
  EXPECT_EQ(result.ok, result.offered);
  EXPECT_EQ(result.ok, server->received());
  EXPECT_LE(result.peak_connections, 2U);
}

TEST(LoadGeneratorTest, AClosedLoopClientDoesNotHammerAServerThatRefuses) {
  ScriptedServer server([](std::size_t) { return ScriptedReply{Fate::kAnswer, 429}; });
  LoadGenerator generator(server.address(), OneRequest(), Patient(8));
  // At 0, 50 and 100 ms at the soonest.
  const LoadResult result = generator.RunClosed({2, Duration(0), milliseconds(120)});
  EXPECT_LE(result.offered, 2U * 3U);
  EXPECT_EQ(result.refused(), result.offered);
}

TEST(LoadGeneratorTest, AClosedLoopClientThinksBeforeItsNextRequest) {
  ScriptedServer server(AlwaysOk);
  LoadGenerator generator(server.address(), OneRequest(), Patient(8));
  // Thinks past the end of the run: one request each, and the run does not end before they slept.
  const LoadResult result = generator.RunClosed({3, milliseconds(40), milliseconds(30)});
  EXPECT_EQ(result.offered, 3U);
  EXPECT_EQ(result.ok, 3U);
}

TEST(LoadGeneratorTest, KeepsConnectionsForTheNextRunAndCountsAfresh) {
  ScriptedServer server(AlwaysOk);
  LoadGenerator generator(server.address(), OneRequest(), Patient(1));
  EXPECT_EQ(generator.RunOpen(EveryMs(0, 4), milliseconds(1)).connections_opened, 1U);
  const LoadResult second = generator.RunOpen(EveryMs(0, 4), milliseconds(1));
  EXPECT_EQ(second.ok, 4U);
  EXPECT_EQ(second.connections_opened, 0U);
  EXPECT_EQ(second.peak_connections, 1U);
}

TEST(LoadGeneratorTest, SendsThePhotosInTurn) {
  ScriptedServer server(AlwaysOk);
  const TargetUrl target = *ParseTargetUrl("http://h:1/cv/x?k=2");
  BenchOptions options;
  options.headers = {"X-Key: secret"};
  std::vector<PreparedRequest> requests;
  for (const char* body : {"one", "two"}) {
    requests.push_back(PrepareRequest(target, options, {"p", "image/png", body}));
  }
  LoadGenerator generator(server.address(), requests, Patient(1));
  generator.RunOpen(EveryMs(0, 3), milliseconds(1));
  const std::vector<SeenRequest> seen = server.seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].body, "one");
  EXPECT_EQ(seen[1].body, "two");
  EXPECT_EQ(seen[2].body, "one");
  EXPECT_TRUE(seen[0].head.starts_with("POST /cv/x?k=2 HTTP/1.1\r\nHost: h:1\r\n"));
  EXPECT_THAT(seen[0].head, ::testing::HasSubstr("\r\nX-Key: secret\r\n"));
  EXPECT_THAT(seen[0].head, ::testing::HasSubstr("\r\nContent-Type: image/png\r\n"));
}

TEST(LoadGeneratorTest, TellsSharesOfAllAndOfThoseLetIn) {
  // 200, 429, 503, 504 and a broken one, in turn.
  ScriptedServer server([](std::size_t number) -> ScriptedReply {
    const int statuses[] = {200, 429, 503, 504};
    if (number % 5 == 4) return {Fate::kGarble};
    return {Fate::kAnswer, statuses[number % 5]};
  });
  LoadGenerator generator(server.address(), OneRequest(), Patient(1));
  const LoadResult result = generator.RunOpen(EveryMs(0, 10), milliseconds(1));
  EXPECT_EQ(result.refused(), 4U) << "429 and 503";
  EXPECT_EQ(result.admitted(), 6U) << "a 504 and a broken one were let in and failed";
  EXPECT_DOUBLE_EQ(result.goodput_share(), 2 / 10.0);
  EXPECT_DOUBLE_EQ(result.admitted_share(), 2 / 6.0);
  ASSERT_EQ(result.refusal_latency.size(), 3U);
  for (const int status : {429, 503, 504}) {
    EXPECT_EQ(result.refusal_latency.at(status).count(), 2U) << status;
  }
  EXPECT_EQ(result.expiry_lateness.count() + result.expired_early, 0U) << "no deadline was sent";
}

TEST(LoadGeneratorTest, CountsARefusalFromTheActualSend) {
  constexpr std::size_t kCount = 10;
  ScriptedServer server([](std::size_t number) {
    return number == 0 ? ScriptedReply{Fate::kHold} : ScriptedReply{Fate::kAnswer, 429};
  });
  LoadHooks hooks;
  std::chrono::steady_clock::time_point released;
  hooks.on_due = [&](std::uint64_t offered) {
    if (offered != kCount) return;
    released = std::chrono::steady_clock::now();
    server.Release();
  };
  // One connection: the refused ones leave after the release, up to 100 ms late.
  LoadGenerator generator(server.address(), OneRequest(), Patient(1), hooks);
  const LoadResult result = generator.RunOpen(EveryMs(10, kCount), milliseconds(100));
  const Duration after = std::chrono::steady_clock::now() - released;
  EXPECT_EQ(result.refusal_latency.at(429).count(), kCount - 1);
  EXPECT_LE(result.refusal_latency.at(429).max(), after);
  EXPECT_GE(result.send_lag.max(), milliseconds(75));
}

TEST(LoadGeneratorTest, TellsHowLateA504IsAfterItsDeadline) {
  ScriptedServer server([](std::size_t) { return ScriptedReply{Fate::kAnswer, 504}; });
  std::vector<PreparedRequest> requests = OneRequest();
  requests.push_back(requests.front());
  requests[0].deadline = Duration(1);  // any answer is later
  requests[1].deadline = std::chrono::hours(1);
  LoadGenerator generator(server.address(), requests, Patient(1));
  const LoadResult result = generator.RunOpen(EveryMs(0, 6), milliseconds(1));
  EXPECT_EQ(result.expiry_lateness.count(), 3U);
  EXPECT_EQ(result.expired_early, 3U);
  EXPECT_EQ(result.refusal_latency.at(504).count(), 6U);
  EXPECT_LE(result.expiry_lateness.max(), result.refusal_latency.at(504).max());
}

TEST(LoadGeneratorTest, AnAnswerAfterItsOwnDeadlineIsNotGood) {
  ScriptedServer server(AlwaysOk);
  std::vector<PreparedRequest> requests = OneRequest();
  requests.push_back(requests.front());
  requests[0].deadline = Duration(1);
  LoadGenerator generator(server.address(), requests, Patient(1));
  const LoadResult result = generator.RunOpen(EveryMs(0, 4), milliseconds(1));
  EXPECT_EQ(result.ok, 4U);
  EXPECT_EQ(result.within_slo, 2U);
}

TEST(PreparedRequestTest, EachPhotoMeetsEachDeadline) {
  const TargetUrl target = *ParseTargetUrl("http://h:1/cv/x");
  BenchOptions options;
  options.deadlines_ms = {50, 300};
  const std::vector<Photo> photos = {{"a", "image/png", "one"}, {"b", "image/png", "two"}};
  std::set<std::pair<std::string, Duration>> seen;
  for (const PreparedRequest& request : PrepareRequests(target, options, photos)) {
    seen.emplace(*request.photo, request.deadline);
    const std::string header =
        "\r\nX-Deadline-Ms: " + std::to_string(request.deadline / milliseconds(1)) + "\r\n";
    EXPECT_THAT(request.head, ::testing::HasSubstr(header));
  }
  EXPECT_EQ(seen.size(), 4U);
  options.deadlines_ms.clear();
  const std::vector<PreparedRequest> plain = PrepareRequests(target, options, photos);
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(plain[0].deadline, Duration(0));
  EXPECT_THAT(plain[0].head, ::testing::Not(::testing::HasSubstr("Deadline")));
}

TEST(LoadGeneratorTest, AnEmptyPlanEndsAtOnce) {
  ScriptedServer server(NeverAnswer);
  LoadGenerator generator(server.address(), OneRequest(), Patient(1));
  const LoadResult result = generator.RunOpen({}, milliseconds(10));
  EXPECT_EQ(result.offered, 0U);
  EXPECT_EQ(result.goodput_share(), 0);
}

}  // namespace
}  // namespace xcloud
