// The shell on a FakeClock with puppet lanes. A test that says "nothing happened" first waits
// until the scheduler thread sleeps towards the instant that the rule implies.

#include "scheduler/dynamic_batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/scheduler/policy_world.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_executor.h"

namespace xcloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Submitted {
  Status status;
  std::size_t id = 0;
  CancelTokenPtr cancel;
};

class DynamicBatcherTest : public testing::Test {
 protected:
  static BatchLimits Limits(std::size_t max_batch, double delay_ms = 0, double goal_ms = 0) {
    BatchLimits limits;
    limits.max_batch = max_batch;
    limits.queue_capacity = 8;
    limits.max_queue_delay = Ms(delay_ms);
    limits.latency_goal = Ms(goal_ms);
    return limits;
  }
  std::shared_ptr<PuppetRequest> NewRequest(double deadline_ms = 0) {
    auto request = std::make_shared<PuppetRequest>(ledger_);
    request->arrival = clock_.Now();
    if (deadline_ms > 0) request->deadline = Deadline::After(request->arrival, Ms(deadline_ms));
    return request;
  }
  Submitted Submit(ModelId model, double deadline_ms = 0) {
    std::shared_ptr<PuppetRequest> request = NewRequest(deadline_ms);
    Submitted out{Status::Ok(), request->id(), request->cancel()};
    ScheduledRequestPtr moved = std::move(request);
    out.status = batcher_.Submit(model, moved);
    EXPECT_EQ(out.status.ok(), moved == nullptr);
    return out;
  }
  Status Admit(ModelId model, double deadline_ms) {
    AdmitQuery query;
    query.deadline = Deadline::After(clock_.Now(), Ms(deadline_ms));
    return batcher_.Admit(model, query);
  }
  // Until the scheduler thread sleeps towards exactly `ms` from now or sooner.
  void WaitAsleepUntil(double ms) { clock_.WaitForSleepers(1, clock_.Now() + Ms(ms)); }
  std::string Metrics() const { return metrics_.Render(); }

  RequestLedger ledger_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  PuppetExecutor lane0_{"cpu0/0", "cpu0"};
  PuppetExecutor lane1_{"cpu1/0", "cpu1"};
  DynamicBatcher batcher_{clock_, metrics_, {&lane0_, &lane1_}};
};

class OneLaneTest : public DynamicBatcherTest {
 protected:
  // Lane 1 is kept busy by a model of its own, so that lane 0 is the only one.
  OneLaneTest() {
    const ModelId other = batcher_.AddModel("other", "1", Limits(1), {});
    XC_CHECK(Submit(other).status.ok());
    lane0_.WaitForStart(1);
    XC_CHECK(Submit(other).status.ok());
    lane1_.WaitForStart(1);
    lane0_.Finish();
  }
  void TearDown() override { lane1_.Finish(); }
};

TEST_F(DynamicBatcherTest, DispatchesOnSubmitToAFreeLane) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  const Submitted one = Submit(model);
  ASSERT_TRUE(one.status.ok());
  const StartedBatch batch = lane0_.WaitForStart(1);
  EXPECT_EQ(batch.model, model);
  EXPECT_THAT(batch.ids, ElementsAre(one.id));
  EXPECT_EQ(batch.items, 1U);
  EXPECT_EQ(batch.closed_at, clock_.Now());
  lane0_.Finish(Ms(3));
  EXPECT_TRUE(ledger_.WaitForEnd(one.id).ok());
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_batches_total{model=\"m\",lane=\"cpu0/0\"} 1"));
  EXPECT_THAT(Metrics(),
              HasSubstr("xcloud_batch_closed_total{model=\"m\",reason=\"idle_lane\"} 1"));
}

TEST_F(DynamicBatcherTest, TwoDevicesShareTheQueues) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(1), {});
  const Submitted a = Submit(model);
  lane0_.WaitForStart(1);
  const Submitted b = Submit(model);
  EXPECT_THAT(lane1_.WaitForStart(1).ids, ElementsAre(b.id));
  const Submitted c = Submit(model);
  lane1_.Finish();
  EXPECT_THAT(lane1_.WaitForStart(2).ids, ElementsAre(c.id));
  lane1_.Finish();
  lane0_.Finish();
  EXPECT_EQ(ledger_.Count(Ending::kAnswered), 3U);
}

TEST_F(DynamicBatcherTest, PrefersTheDeviceThatTheProfileCallsFaster) {
  const ModelId model = batcher_.AddModel(
      "m", "1", Limits(4), {{"cpu0", 1, Ms(20)}, {"cpu1", 1, Ms(10)}, {"elsewhere", 1, Ms(1)}});
  Submit(model);
  lane1_.WaitForStart(1);
  lane1_.Finish();
}

TEST_F(DynamicBatcherTest, RefusesWhatNoDeviceCanMake) {
  const ModelId model =
      batcher_.AddModel("m", "1", Limits(4), {{"cpu0", 1, Ms(20)}, {"cpu1", 1, Ms(10)}});
  EXPECT_EQ(Submit(model, 5).status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Admit(model, 5).code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Admit(model, 10.5).ok());
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_refused_total{model=\"m\",reason=\"unreachable\"} 2"));
}

TEST_F(DynamicBatcherTest, ReleasesPartialBatchWhenTheDelayRunsOut) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, /*delay_ms=*/10), {});
  const Submitted a = Submit(model);
  const Submitted b = Submit(model);
  WaitAsleepUntil(10);
  clock_.Advance(Ms(9));
  WaitAsleepUntil(1);
  EXPECT_EQ(lane0_.starts(), 0U);
  clock_.Advance(Ms(1));
  EXPECT_THAT(lane0_.WaitForStart(1).ids, ElementsAre(a.id, b.id));
  lane0_.Finish();
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_batch_closed_total{model=\"m\",reason=\"delay\"} 1"));
}

TEST_F(OneLaneTest, AProfileThatRefusesEverybodyIsTriedAgainAndCorrected) {
  // Warm-up ran on a busy machine: 900 ms, while every request has 100 ms.
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, 0, /*goal_ms=*/100),
                                          {{"cpu0", 1, Ms(900)}, {"cpu1", 1, Ms(900)}});
  const std::size_t before = lane0_.starts();
  const auto admitted = [&] { return Admit(model, 100).ok(); };
  EXPECT_FALSE(admitted());
  std::size_t probes = 0;
  while (!admitted() && probes < 100) {
    clock_.Advance(kProbeInterval);
    ASSERT_TRUE(Submit(model).status.ok());
    lane0_.WaitForStart(before + ++probes);
    EXPECT_FALSE(Submit(model).status.ok()) << "one probe at a time";
    lane0_.Finish(Ms(10));
  }
  EXPECT_GT(probes, 0U);
  EXPECT_LT(probes, 50U);
}

TEST_F(OneLaneTest, BatchGrowsWhileTheLaneIsBusy) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  const Submitted a = Submit(model);
  lane0_.WaitForStart(2);
  const Submitted b = Submit(model);
  const Submitted c = Submit(model);
  const Submitted urgent = Submit(model, /*deadline_ms=*/100);
  EXPECT_EQ(ledger_.ending(a.id), Ending::kOpen);
  lane0_.Finish();
  EXPECT_THAT(lane0_.WaitForStart(3).ids, ElementsAre(urgent.id, b.id, c.id));
  lane0_.Finish();
}

TEST_F(OneLaneTest, ExpiryIsAnsweredAtItsInstantWhileEveryLaneIsBusy) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  const Submitted patient = Submit(model, /*deadline_ms=*/50);
  const Submitted hasty = Submit(model, /*deadline_ms=*/20);
  WaitAsleepUntil(20);
  clock_.Advance(Ms(20));
  EXPECT_EQ(ledger_.WaitForEnd(hasty.id).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ledger_.ending(patient.id), Ending::kOpen);
  lane0_.Finish();
  EXPECT_THAT(lane0_.WaitForStart(3).ids, ElementsAre(patient.id));
  lane0_.Finish();
}

TEST_F(OneLaneTest, LatencyGoalIsTheDeadlineOfThoseThatBringNone) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, 0, /*goal_ms=*/30), {});
  Submit(model);
  lane0_.WaitForStart(2);
  const Submitted waits = Submit(model);
  WaitAsleepUntil(30);
  clock_.Advance(Ms(30));
  EXPECT_EQ(ledger_.WaitForEnd(waits.id).code(), StatusCode::kDeadlineExceeded);
  lane0_.Finish();
}

TEST_F(OneLaneTest, FullQueueRefusesAndLeavesTheRequestWithTheCaller) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(Submit(model).status.ok());
  std::shared_ptr<PuppetRequest> request = NewRequest();
  const std::size_t id = request->id();
  ScheduledRequestPtr mine = std::move(request);
  const Status status = batcher_.Submit(model, mine);
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_GE(status.retry_after(), std::chrono::milliseconds(1));
  ASSERT_NE(mine, nullptr);
  EXPECT_EQ(ledger_.ending(id), Ending::kOpen);
  EXPECT_EQ(batcher_.Admit(model, {}).code(), StatusCode::kOverloaded);
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_queue_items{model=\"m\"} 8"));
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_refused_total{model=\"m\",reason=\"queue_full\"} 2"));
  lane0_.Finish();
  lane0_.WaitForStart(3);
  EXPECT_TRUE(batcher_.Submit(model, mine).ok());
  EXPECT_EQ(mine, nullptr);
  for (int batch = 4; batch <= 5; ++batch) {
    lane0_.Finish();
    lane0_.WaitForStart(static_cast<std::size_t>(batch));
  }
  lane0_.Finish();
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
}

TEST_F(OneLaneTest, CancelledRequestsNeverRun) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  const Submitted gone = Submit(model);
  const Submitted stays = Submit(model);
  gone.cancel->Cancel();
  lane0_.Finish();
  EXPECT_THAT(lane0_.WaitForStart(3).ids, ElementsAre(stays.id));
  EXPECT_EQ(ledger_.WaitForEnd(gone.id).code(), StatusCode::kCancelled);
  lane0_.Finish();
}

TEST_F(OneLaneTest, FullQueueGivesUpWhatItsCallersGaveUp) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  std::vector<Submitted> waiting;
  for (int i = 0; i < 8; ++i) waiting.push_back(Submit(model));
  waiting[5].cancel->Cancel();
  EXPECT_EQ(Submit(model).status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(ledger_.WaitForEnd(waiting[5].id).code(), StatusCode::kCancelled);
  EXPECT_TRUE(Submit(model).status.ok());
  batcher_.RemoveModel(model);
  lane0_.Finish();
}

TEST_F(OneLaneTest, RemovedModelRefusesWhatWaitsAndWhatComes) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  const Submitted runs = Submit(model);
  lane0_.WaitForStart(2);
  const Submitted waits = Submit(model);
  batcher_.RemoveModel(model);
  EXPECT_EQ(ledger_.WaitForEnd(waits.id).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Submit(model).status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(batcher_.Admit(model, {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(ledger_.ending(runs.id), Ending::kOpen);
  lane0_.Finish();
  EXPECT_TRUE(ledger_.WaitForEnd(runs.id).ok());
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_queue_items{model=\"m\"} 0"));
}

TEST_F(DynamicBatcherTest, ModelIdsAreNotUsedTwice) {
  const ModelId first = batcher_.AddModel("m", "1", Limits(4), {});
  batcher_.RemoveModel(first);
  EXPECT_NE(batcher_.AddModel("m", "1", Limits(4), {}), first);
  batcher_.RemoveModel(first);  // again: nothing to do
}

TEST_F(DynamicBatcherTest, MoreItemsThanTheQueueHoldsAreAnInvalidArgument) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(2), {});
  ScheduledRequestPtr request = NewRequest();
  request->items = 9;
  EXPECT_EQ(batcher_.Submit(model, request).code(), StatusCode::kInvalidArgument);
  EXPECT_NE(request, nullptr);
}

TEST_F(DynamicBatcherTest, LargeRequestIsSplitOverTheLanesAndJoined) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(2), {});
  std::shared_ptr<PuppetRequest> request = NewRequest();
  request->items = 5;
  const std::size_t id = request->id();
  ScheduledRequestPtr moved = std::move(request);
  ASSERT_TRUE(batcher_.Submit(model, moved).ok());
  EXPECT_EQ(lane0_.WaitForStart(1).items, 2U);
  EXPECT_EQ(lane1_.WaitForStart(1).items, 2U);
  lane1_.Finish();
  EXPECT_EQ(lane1_.WaitForStart(2).items, 1U);
  lane1_.Finish();
  EXPECT_EQ(ledger_.ending(id), Ending::kOpen);
  lane0_.Finish();
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
}

TEST_F(OneLaneTest, PartThatExpiresEndsTheWholeRequestOnce) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(2), {});
  std::shared_ptr<PuppetRequest> request = NewRequest(/*deadline_ms=*/20);
  request->items = 3;
  const std::size_t id = request->id();
  ScheduledRequestPtr moved = std::move(request);
  ASSERT_TRUE(batcher_.Submit(model, moved).ok());
  lane0_.WaitForStart(2);
  WaitAsleepUntil(20);
  clock_.Advance(Ms(20));
  const std::string expired = "xcloud_refused_total{model=\"m\",reason=\"expired\"} 1";
  while (Metrics().find(expired) == std::string::npos) std::this_thread::yield();
  EXPECT_EQ(ledger_.ending(id), Ending::kOpen);  // two items still run
  lane0_.Finish();
  EXPECT_EQ(ledger_.WaitForEnd(id).code(), StatusCode::kDeadlineExceeded);
}

TEST_F(OneLaneTest, LimitsChangeUnderWhatWaits) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  std::vector<Submitted> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(Submit(model));
  BatchLimits limits = Limits(2);
  limits.queue_capacity = 2;
  limits.latency_goal = Ms(500);
  batcher_.SetLimits(model, limits);
  EXPECT_EQ(Submit(model).status.code(), StatusCode::kOverloaded);
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_batching_limit{model=\"m\",knob=\"max_batch\"} 2"));
  lane0_.Finish();
  EXPECT_EQ(lane0_.WaitForStart(3).items, 2U);
  lane0_.Finish();
  EXPECT_EQ(lane0_.WaitForStart(4).items, 2U);
  lane0_.Finish();
  for (const Submitted& one : waiting) EXPECT_TRUE(ledger_.WaitForEnd(one.id).ok());
}

TEST_F(DynamicBatcherTest, AShorterDelayTakesHoldAtOnce) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, /*delay_ms=*/1000), {});
  const Submitted held = Submit(model);
  WaitAsleepUntil(1000);
  batcher_.SetLimits(model, Limits(4));
  EXPECT_THAT(lane0_.WaitForStart(1).ids, ElementsAre(held.id));
  lane0_.Finish();
}

TEST_F(DynamicBatcherTest, StopRefusesTheRestAndWaitsForWhatRuns) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(1), {});
  const Submitted a = Submit(model);
  lane0_.WaitForStart(1);
  const Submitted b = Submit(model);
  lane1_.WaitForStart(1);
  const Submitted waits = Submit(model);
  std::future<void> stopped = std::async(std::launch::async, [this] { batcher_.Stop(); });
  EXPECT_EQ(ledger_.WaitForEnd(waits.id).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Submit(model).status.code(), StatusCode::kUnavailable);
  lane0_.Finish();
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  lane1_.Finish();
  stopped.get();
  EXPECT_TRUE(ledger_.WaitForEnd(a.id).ok());
  EXPECT_TRUE(ledger_.WaitForEnd(b.id).ok());
  EXPECT_EQ(lane0_.starts() + lane1_.starts(), 2U);
}

TEST_F(OneLaneTest, WaitIdleTellsWhetherTimeRanOutFirst) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4), {});
  Submit(model);
  lane0_.WaitForStart(2);
  std::future<bool> idle =
      std::async(std::launch::async, [this] { return batcher_.WaitIdle(clock_.Now() + Ms(100)); });
  WaitAsleepUntil(100);
  clock_.Advance(Ms(100));
  EXPECT_FALSE(idle.get());
  lane0_.Finish();
}

TEST_F(DynamicBatcherTest, BeginDrainReleasesWhatADelayHolds) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, /*delay_ms=*/1000), {});
  const Submitted held = Submit(model);
  WaitAsleepUntil(1000);
  EXPECT_EQ(lane0_.starts(), 0U);
  batcher_.BeginDrain();
  EXPECT_THAT(lane0_.WaitForStart(1).ids, ElementsAre(held.id));
  lane0_.Finish();
}

TEST_F(DynamicBatcherTest, WaitIdleKeepsNoDelayAndReturnsWhenAllIsDone) {
  const ModelId model = batcher_.AddModel("m", "1", Limits(4, /*delay_ms=*/1000), {});
  const Submitted one = Submit(model);
  WaitAsleepUntil(1000);
  std::future<bool> idle =
      std::async(std::launch::async, [this] { return batcher_.WaitIdle(TimePoint::max()); });
  EXPECT_THAT(lane0_.WaitForStart(1).ids, ElementsAre(one.id));
  EXPECT_EQ(idle.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  lane0_.Finish();
  EXPECT_TRUE(idle.get());
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_batch_closed_total{model=\"m\",reason=\"drain\"} 1"));
}

class SingleLaneTest : public testing::Test {
 protected:
  void Submit() {
    ScheduledRequestPtr request = std::make_shared<PuppetRequest>(ledger_);
    ASSERT_TRUE(batcher_.Submit(model_, request).ok());
  }
  RequestLedger ledger_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  PuppetExecutor lane_{"cpu0/0", "cpu0"};
  DynamicBatcher batcher_{clock_, metrics_, {&lane_}};
  const ModelId model_ = batcher_.AddModel("m", "1", BatchLimits{}, {});
};

TEST_F(SingleLaneTest, LearnsFromBatchesThatWorkedAndNotFromThoseThatFailed) {
  const auto admit = [&] {
    AdmitQuery query;
    query.deadline = Deadline::After(clock_.Now(), Ms(10));
    return batcher_.Admit(model_, query).code();
  };
  Submit();
  lane_.WaitForStart(1);
  lane_.Fail(BatchOutcome::kBatchFailed, Status::Internal("out of memory"));
  EXPECT_EQ(admit(), StatusCode::kOk);
  Submit();
  lane_.WaitForStart(2);
  lane_.Finish(Ms(30));
  EXPECT_EQ(admit(), StatusCode::kDeadlineExceeded);
}

TEST_F(SingleLaneTest, BusyTimeOfALaneIsCounted) {
  Submit();
  lane_.WaitForStart(1);
  clock_.Advance(Ms(7));
  lane_.Finish();
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("xcloud_lane_busy_seconds_sum{lane=\"cpu0/0\"} 0.007\n"));
}

TEST_F(SingleLaneTest, RetryAfterIsTheBacklogOverTheMeasuredRate) {
  Submit();
  lane_.WaitForStart(1);
  clock_.Advance(Ms(20));  // 50 items a second
  lane_.Finish(Ms(20));
  Submit();
  lane_.WaitForStart(2);
  for (std::size_t i = 0; i < BatchLimits{}.queue_capacity; ++i) Submit();
  EXPECT_EQ(batcher_.Admit(model_, {}).retry_after(), std::chrono::milliseconds(256 * 20));
  batcher_.RemoveModel(model_);
  lane_.Finish();
}

TEST(InlineLaneTest, DoneMayBeCalledInsideStart) {
  RequestLedger ledger;
  FakeClock clock;
  MetricsRegistry metrics;
  PuppetExecutor lane("cpu0/0", "cpu0", /*finish_inside_start=*/true);
  DynamicBatcher batcher(clock, metrics, {&lane});
  BatchLimits limits;
  limits.max_batch = 2;
  const ModelId model = batcher.AddModel("m", "1", limits, {});
  for (int i = 0; i < 5; ++i) {
    ScheduledRequestPtr request = std::make_shared<PuppetRequest>(ledger);
    ASSERT_TRUE(batcher.Submit(model, request).ok());
  }
  EXPECT_TRUE(batcher.WaitIdle(TimePoint::max()));
  EXPECT_EQ(ledger.Count(Ending::kAnswered), 5U);
}

}  // namespace
}  // namespace xcloud
