// What the shell does when batches fail, devices fault and lanes hang. Faults are puppets' doing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "scheduler/dynamic_batcher.h"
#include "tests/scheduler/policy_world.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_executor.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

LaneInfo Info(const char* name, const char* device) {
  LaneInfo info;
  info.name = name;
  info.device = device;
  info.hang_after = Ms(1000);
  return info;
}

class BatcherFailuresTest : public testing::Test {
 protected:
  BatcherFailuresTest() {
    BatchLimits limits;
    limits.max_batch = 4;
    model_ = batcher_.AddModel("m", "1", limits, {});
  }
  // Lane 1 hangs on to a request of its own until the test ends, so lane 0 is the only one.
  std::size_t OccupyLane1() {
    const std::size_t first = Submit();
    lane0_.WaitForStart(1);
    const std::size_t second = Submit();
    lane1_.WaitForStart(1);
    lane0_.Finish();
    EXPECT_TRUE(ledger_.WaitForEnd(first).ok());
    return second;
  }
  std::size_t Submit(double deadline_ms = 0) {
    auto request = std::make_shared<PuppetRequest>(ledger_);
    if (deadline_ms > 0) request->deadline = Deadline::After(clock_.Now(), Ms(deadline_ms));
    const std::size_t id = request->id();
    ScheduledRequestPtr moved = std::move(request);
    EXPECT_TRUE(batcher_.Submit(model_, moved).ok());
    return id;
  }
  // Starts a batch of `count` on lane 0; gives its requests.
  std::vector<std::size_t> BatchOf(std::size_t count, std::size_t starts) {
    const std::size_t filler = Submit();
    lane0_.WaitForStart(starts);
    std::vector<std::size_t> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(Submit());
    lane0_.Finish();
    EXPECT_TRUE(ledger_.WaitForEnd(filler).ok());
    EXPECT_EQ(lane0_.WaitForStart(starts + 1).ids, ids);
    return ids;
  }
  DeviceHealth Device(std::size_t i) const { return batcher_.Devices().at(i); }
  void WaitAsleepUntil(double ms) { clock_.WaitForSleepers(1, clock_.Now() + Ms(ms)); }

  RequestLedger ledger_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  PuppetExecutor lane0_{Info("a/0", "a")};
  PuppetExecutor lane1_{Info("b/0", "b")};
  DynamicBatcher batcher_{clock_, metrics_, {&lane0_, &lane1_}};
  ModelId model_ = 0;
};

TEST_F(BatcherFailuresTest, FailingBatchIsBisectedAndOnlyTheCulpritFails) {
  OccupyLane1();
  const std::vector<std::size_t> ids = BatchOf(4, 2);
  clock_.Advance(Ms(1));
  const std::size_t innocent = Submit();
  // The third is poison: whatever holds it fails.
  const auto run = [&](std::size_t start) {
    const StartedBatch batch = lane0_.WaitForStart(start);
    const bool poisoned = std::find(batch.ids.begin(), batch.ids.end(), ids[2]) != batch.ids.end();
    if (poisoned) {
      lane0_.Fail(BatchOutcome::kBatchFailed, Status::Internal("model 'm' failed"));
    } else {
      lane0_.Finish();
    }
    return batch.ids;
  };
  EXPECT_THAT(run(3), ElementsAre(ids[0], ids[1], ids[2], ids[3]));
  EXPECT_THAT(run(4), ElementsAre(ids[0], ids[1]));
  EXPECT_THAT(run(5), ElementsAre(ids[2], ids[3]));
  EXPECT_THAT(run(6), ElementsAre(ids[2]));
  EXPECT_THAT(run(7), ElementsAre(ids[3]));
  EXPECT_THAT(run(8), ElementsAre(innocent));
  EXPECT_EQ(ledger_.WaitForEnd(ids[2]).code(), StatusCode::kInternal);
  for (const std::size_t id : {ids[0], ids[1], ids[3], innocent}) {
    EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  }
  EXPECT_EQ(Device(0).state, DeviceState::kReady);
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("xcloud_batch_retries_total{model=\"m\",reason=\"bisect\"} 2"));
  lane1_.Finish();
}

TEST_F(BatcherFailuresTest, FaultyDeviceIsQuarantinedAndItsBatchRunsElsewhere) {
  OccupyLane1();
  const std::vector<std::size_t> ids = BatchOf(2, 2);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("an illegal address was used"));
  lane1_.Finish();
  EXPECT_EQ(lane1_.WaitForStart(2).ids, ids);
  EXPECT_EQ(Device(0).state, DeviceState::kQuarantined);
  EXPECT_EQ(Device(0).reason, "an illegal address was used");
  EXPECT_EQ(Device(0).faults, 1U);
  EXPECT_EQ(Device(1).state, DeviceState::kReady);
  const std::size_t next = Submit();  // lane 0 is free, and is not used
  lane1_.Finish();
  EXPECT_THAT(lane1_.WaitForStart(3).ids, ElementsAre(next));
  lane1_.Finish();
  for (const std::size_t id : ids) EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  EXPECT_EQ(lane0_.starts(), 3U);
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_device_ready{device=\"a\"} 0"));
}

TEST_F(BatcherFailuresTest, SecondFaultUnderTheSameRequestRefusesIt) {
  OccupyLane1();
  const std::vector<std::size_t> ids = BatchOf(1, 2);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone"));
  lane1_.Finish();
  lane1_.WaitForStart(2);
  lane1_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone as well"));
  EXPECT_EQ(ledger_.WaitForEnd(ids[0]).code(), StatusCode::kUnavailable);
  EXPECT_EQ(batcher_.Admit(model_, {}).code(), StatusCode::kUnavailable);
}

TEST_F(BatcherFailuresTest, ProbesComeLessAndLessOftenUntilOneReadmitsTheDevice) {
  OccupyLane1();
  const std::vector<std::size_t> ids = BatchOf(1, 2);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone"));
  WaitAsleepUntil(250);
  EXPECT_EQ(lane0_.probes(), 0U);
  clock_.Advance(kFirstProbe);
  lane0_.WaitForProbe(1);
  EXPECT_EQ(Device(0).state, DeviceState::kProbing);
  lane0_.FinishProbe(/*well=*/false);
  EXPECT_EQ(Device(0).reason, "the probe failed");
  WaitAsleepUntil(500);
  clock_.Advance(2 * kFirstProbe);
  lane0_.WaitForProbe(2);
  lane0_.FinishProbe(/*well=*/true);
  EXPECT_EQ(lane0_.WaitForStart(4).ids, ids);  // it waited for the device
  EXPECT_EQ(Device(0).state, DeviceState::kReady);
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_device_ready{device=\"a\"} 1"));
  lane0_.Finish();
  lane1_.Finish();
}

TEST_F(BatcherFailuresTest, HungLaneLosesItsBatchToAnotherDeviceAndItsAnswerIsNotWanted) {
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  WaitAsleepUntil(1000);
  clock_.Advance(Ms(1000));
  EXPECT_THAT(lane1_.WaitForStart(1).ids, ElementsAre(id));
  EXPECT_EQ(Device(0).state, DeviceState::kQuarantined);
  EXPECT_THAT(Device(0).reason, HasSubstr("1000 ms"));
  lane1_.Finish();
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  EXPECT_TRUE(batcher_.WaitIdle(TimePoint::max()));  // does not wait for the lane that hangs
  lane0_.Finish();                                   // at last; the ledger aborts if it answered
  // Now it holds nothing, so it can be probed.
  WaitAsleepUntil(250);
  clock_.Advance(kFirstProbe);
  lane0_.WaitForProbe(1);
  lane0_.FinishProbe(/*well=*/true);
  EXPECT_EQ(Device(0).state, DeviceState::kReady);
}

TEST_F(BatcherFailuresTest, StopDoesNotWaitForALaneThatHangs) {
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  std::thread stopper([this] { batcher_.Stop(); });
  while (batcher_.Admit(model_, {}).code() != StatusCode::kUnavailable) std::this_thread::yield();
  clock_.Advance(Ms(1000));  // stopping: what hangs is refused now, and runs nowhere else
  stopper.join();
  EXPECT_EQ(ledger_.WaitForEnd(id).code(), StatusCode::kUnavailable);
  EXPECT_EQ(batcher_.lost(), 1U);
  lane0_.Finish();  // its answer is dropped
}

TEST_F(BatcherFailuresTest, DeviceThatPassesProbesAndFailsBatchesComesBackLessOften) {
  OccupyLane1();
  BatchOf(1, 2);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone"));
  WaitAsleepUntil(250);
  clock_.Advance(kFirstProbe);
  lane0_.WaitForProbe(1);
  lane0_.FinishProbe(/*well=*/true);
  lane0_.WaitForStart(4);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone again"));
  WaitAsleepUntil(500);
  clock_.Advance(kFirstProbe);
  WaitAsleepUntil(250);
  EXPECT_EQ(lane0_.probes(), 1U);
  clock_.Advance(kFirstProbe);
  lane0_.WaitForProbe(2);
  lane0_.FinishProbe(/*well=*/true);
  lane1_.Finish();
}

TEST_F(BatcherFailuresTest, LaneThatFinishesJustBeforeItIsTakenBackAnswers) {
  // It hangs, but its answer is already under way: the claim decides.
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  WaitAsleepUntil(1000);
  lane0_.Finish();
  clock_.Advance(Ms(1000));
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  EXPECT_EQ(Device(0).faults, 0U);
}

TEST_F(BatcherFailuresTest, ProbeThatHangsHasFailed) {
  OccupyLane1();
  BatchOf(1, 2);
  lane0_.Fail(BatchOutcome::kDeviceFailed, Status::Unavailable("gone"));
  WaitAsleepUntil(250);
  clock_.Advance(kFirstProbe);
  lane0_.WaitForProbe(1);
  WaitAsleepUntil(1000);
  clock_.Advance(Ms(1000));
  while (Device(0).state != DeviceState::kQuarantined) std::this_thread::yield();
  lane0_.FinishProbe(/*well=*/true);  // too late to count: another one is asked for
  clock_.Advance(Ms(500));
  lane0_.WaitForProbe(2);
  lane0_.FinishProbe(/*well=*/true);
  // By now what lane 1 held hangs as well, so two batches run again here.
  lane0_.WaitForStart(4);
  lane0_.Finish();
  lane0_.WaitForStart(5);
  lane0_.Finish();
  lane1_.Finish();  // empty at last, and its device's probe is due
  lane1_.WaitForProbe(1);
  lane1_.FinishProbe(/*well=*/true);
}

TEST_F(BatcherFailuresTest, BatchThatFailsWhileItsModelIsRemovedIsRefused) {
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  batcher_.RemoveModel(model_);
  lane0_.Fail(BatchOutcome::kBatchFailed, Status::Internal("failed"));
  EXPECT_EQ(ledger_.WaitForEnd(id).code(), StatusCode::kUnavailable);
}

TEST_F(BatcherFailuresTest, BatchesOfPartlyCancelledItemsTeachNothing) {
  EXPECT_TRUE(Device(0).reason.empty());
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  lane0_.Finish(Ms(500));
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  AdmitQuery query;
  query.deadline = Deadline::After(clock_.Now(), Ms(100));
  EXPECT_TRUE(batcher_.Admit(model_, query).ok());  // device b is still unknown, so hopeful
}

TEST_F(BatcherFailuresTest, ImbalanceTellsThatOneDeviceDoesEverything) {
  const std::size_t id = Submit();
  lane0_.WaitForStart(1);
  clock_.Advance(Ms(100));
  lane0_.Finish(Ms(100));
  EXPECT_TRUE(ledger_.WaitForEnd(id).ok());
  EXPECT_TRUE(batcher_.WaitIdle(TimePoint::max()));
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_device_imbalance_permille 1000"));
}

}  // namespace
}  // namespace xcloud
