// The rules of scheduler/policy.h for overload: what is dropped, who gives way, whose turn it is.

#include "scheduler/policy.h"

#include <gtest/gtest.h>

#include "tests/scheduler/policy_world.h"

namespace xcloud {
namespace {

const LaneView kFree{};
const LaneView kBusy{.running = 1};

TEST(PolicyTest, WhatCannotFinishIsDroppedBeforeItsDeadlineAndBindsNobody) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  world.LearnLinear(queue, 10, 8);
  world.Add(queue, {.deadline_ms = 5});   // needs 10
  world.Add(queue, {.deadline_ms = 31});  // holds the batch to three
  for (int i = 0; i < 5; ++i) world.Add(queue, {.deadline_ms = 200});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_EQ(decision.refusals.size(), 1U);
  EXPECT_EQ(decision.refusals[0].reason, RefuseReason::kLate);
  EXPECT_EQ(decision.start->takes.size(), 3U);
}

TEST(PolicyTest, LooksAgainWhenTheProfileWillCallTheFirstOneLate) {
  PolicyWorld world({kBusy});
  const std::size_t queue = world.AddQueue(8);
  world.LearnLinear(queue, 10, 8);
  world.Add(queue, {.deadline_ms = 50});
  const TimePoint last_chance = AtMs(40) - kReplyMargin;
  EXPECT_EQ(world.DecideAt(0).look_again, last_chance + Duration(1));
  EXPECT_TRUE(Decide({world.views, world.lanes, last_chance}).refusals.empty());
  EXPECT_EQ(Decide({world.views, world.lanes, last_chance + Duration(1)}).refusals.size(), 1U);
}

TEST(PolicyTest, AProbeRunsAgainstTheProfileAndBindsNobody) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  world.LearnLinear(queue, 10, 8);
  world.Add(queue, {.deadline_ms = 5, .probe = true});
  world.Add(queue, {.deadline_ms = 200});
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_TRUE(decision.refusals.empty());
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->takes.size(), 2U);
  EXPECT_EQ(world.DecideAt(5).refusals.size(), 1U);  // but it expires
}

TEST(PolicyTest, OverloadShedsTheTightestForAFullBatch) {
  // A batch of 8 costs hardly more than one of 1, so serving the head alone would waste the lane.
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  world.views[queue].limits.latency_goal = Ms(40);
  for (std::size_t n = 1; n <= 8; ++n) world.profile(queue).Learn(0, n, Ms(10 + 1.0 * n));
  world.Add(queue, {.arrival_ms = -28, .deadline_ms = 12});  // can still afford a batch of one
  // The next eight would be done after 11 + 18 ms.
  for (int i = 0; i < 12; ++i) world.Add(queue, {.arrival_ms = -12, .deadline_ms = 28});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_EQ(decision.refusals.size(), 1U);
  EXPECT_EQ(decision.refusals[0].reason, RefuseReason::kShed);
  EXPECT_EQ(decision.refusals[0].key.due, AtMs(12));
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->items, 8U);
}

TEST(PolicyTest, NobodyIsShedWhileTheRestCanFollow) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  world.views[queue].limits.latency_goal = Ms(40);
  for (std::size_t n = 1; n <= 8; ++n) world.profile(queue).Learn(0, n, Ms(10 + 1.0 * n));
  world.Add(queue, {.arrival_ms = -28, .deadline_ms = 12});
  for (int i = 0; i < 3; ++i) world.Add(queue, {.deadline_ms = 40});
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_TRUE(decision.refusals.empty());
  EXPECT_EQ(decision.start->items, 1U);
  EXPECT_EQ(decision.start->reason, CloseReason::kDeadline);
}

TEST(PolicyTest, NobodyIsShedWhereALargerBatchGainsNothing) {
  PolicyWorld world({kFree});  // as on a CPU: eight take eight times as long as one
  const std::size_t queue = world.AddQueue(8);
  world.views[queue].limits.latency_goal = Ms(200);
  world.LearnLinear(queue, 10, 8);
  world.Add(queue, {.arrival_ms = -180, .deadline_ms = 20});
  for (int i = 0; i < 20; ++i) world.Add(queue, {.deadline_ms = 200});
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_TRUE(decision.refusals.empty());
  EXPECT_EQ(decision.start->items, 1U);
}

TEST(PolicyTest, EachEighthBatchGoesToAPriorityThatWasPassedOver) {
  PolicyWorld world({kFree});
  const std::size_t busy = world.AddQueue(1);
  const std::size_t quiet = world.AddQueue(1);
  world.Add(quiet, {.priority = Priority::kLow});
  for (std::uint32_t batch = 1; batch < kTurn; ++batch) {
    world.Add(busy, {.arrival_ms = 1.0 * batch, .deadline_ms = 50, .priority = Priority::kHigh});
    const PolicyDecision decision = world.DecideAt(9);
    ASSERT_EQ(decision.start->queue, busy) << batch;
    EXPECT_EQ(decision.passed_over[2], batch);
    world.queue(busy).Take(decision.start->takes[0].key);
    world.passed_over = decision.passed_over;
  }
  world.Add(busy, {.deadline_ms = 50, .priority = Priority::kHigh});
  const PolicyDecision decision = world.DecideAt(9);
  EXPECT_EQ(decision.start->queue, quiet);
  EXPECT_EQ(decision.passed_over[2], 0U);
}

TEST(PolicyTest, TurnsOfAPriorityAreCountedOnlyWhileItWaits) {
  PolicyWorld world({kFree});
  const std::size_t busy = world.AddQueue(1);
  world.passed_over = {0, 0, kTurn - 1};
  world.Add(busy, {.priority = Priority::kHigh});
  EXPECT_EQ(world.DecideAt(9).passed_over[2], 0U);
}

TEST(PolicyTest, BatchOfATurnIsFilledFromItsPriorityFirst) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(3);
  for (int i = 0; i < 4; ++i) world.Add(queue, {.arrival_ms = 5, .priority = Priority::kHigh});
  for (int i = 0; i < 2; ++i) world.Add(queue, {.arrival_ms = 6, .priority = Priority::kLow});
  world.passed_over = {0, 0, kTurn - 1};
  const PolicyDecision decision = world.DecideAt(9);
  ASSERT_EQ(decision.start->takes.size(), 3U);
  EXPECT_EQ(decision.start->takes[0].key.priority, Priority::kLow);
  EXPECT_EQ(decision.start->takes[1].key.priority, Priority::kLow);
  EXPECT_EQ(decision.start->takes[2].key.priority, Priority::kHigh);
}

TEST(PolicyTest, AModelFarAheadInLaneTimeWaitsForTheOthers) {
  PolicyWorld world({kFree});
  const std::size_t greedy = world.AddQueue(4);
  const std::size_t modest = world.AddQueue(4);
  world.Add(greedy, {.deadline_ms = 10});
  world.Add(modest, {.deadline_ms = 500});
  world.views[greedy].lane_time = kFairWindow;
  EXPECT_EQ(world.DecideAt(0).start->queue, greedy);  // within the window: by deadline
  world.views[greedy].lane_time = kFairWindow + Duration(1);
  EXPECT_EQ(world.DecideAt(0).start->queue, modest);
}

TEST(PolicyTest, ManyRefusalsComeInSeveralDecisions) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4);
  for (std::size_t i = 0; i <= kMaxRefusals; ++i) world.Add(queue, {.deadline_ms = 5});
  const PolicyDecision decision = world.DecideAt(6);
  EXPECT_EQ(decision.refusals.size(), kMaxRefusals);
  EXPECT_EQ(decision.look_again, AtMs(6));
  for (const PolicyRefusal& refusal : decision.refusals) world.queue(queue).Take(refusal.key);
  EXPECT_EQ(world.DecideAt(6).refusals.size(), 1U);
}

}  // namespace
}  // namespace xcloud
