// Each rule of scheduler/policy.h, one test.

#include "scheduler/policy.h"

#include <gtest/gtest.h>

#include "tests/scheduler/policy_world.h"

namespace xcloud {
namespace {

const LaneView kFree{0, false};
const LaneView kBusy{0, true};

TEST(PolicyTest, NothingWaitsMeansOnlyAnEventMatters) {
  PolicyWorld world({kFree});
  world.AddQueue(4);
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_FALSE(decision.start.has_value());
  EXPECT_TRUE(decision.refusals.empty());
  EXPECT_EQ(decision.look_again, TimePoint::max());
}

TEST(PolicyTest, FreeLaneTakesAWaitingRequestAtOnce) {
  PolicyWorld world({kBusy, kFree});
  const std::size_t queue = world.AddQueue(4);
  world.Add(queue, {});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->queue, queue);
  EXPECT_EQ(decision.start->lane, 1U);
  EXPECT_EQ(decision.start->requests, 1U);
  EXPECT_EQ(decision.start->reason, CloseReason::kIdleLane);
  EXPECT_EQ(decision.look_again, AtMs(0));
}

TEST(PolicyTest, NoFreeLaneStartsNothingAndLooksAgainAtTheEarliestDeadline) {
  PolicyWorld world({kBusy});
  const std::size_t a = world.AddQueue(4);
  const std::size_t b = world.AddQueue(4);
  world.Add(a, {.deadline_ms = 50, .priority = Priority::kHigh});
  world.Add(a, {.deadline_ms = 20, .priority = Priority::kLow});
  world.Add(b, {.deadline_ms = 30});
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_FALSE(decision.start.has_value());
  EXPECT_EQ(decision.look_again, AtMs(20));
}

TEST(PolicyTest, BatchTakesAsManyWholeRequestsAsFit) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4);
  world.Add(queue, {.arrival_ms = 0, .items = 1});
  world.Add(queue, {.arrival_ms = 1, .items = 2});
  world.Add(queue, {.arrival_ms = 2, .items = 2});
  const PolicyDecision decision = world.DecideAt(3);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 2U);
  EXPECT_EQ(decision.start->items, 3U);
  EXPECT_EQ(decision.start->reason, CloseReason::kFull);
}

TEST(PolicyTest, ExactlyFullBatchIsFull) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(2);
  for (int i = 0; i < 2; ++i) world.Add(queue, {});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 2U);
  EXPECT_EQ(decision.start->reason, CloseReason::kFull);
}

TEST(PolicyTest, UrgentPriorityGoesBeforeAnEarlierDeadlineOfAnotherModel) {
  PolicyWorld world({kFree});
  const std::size_t a = world.AddQueue(4);
  const std::size_t b = world.AddQueue(4);
  world.Add(a, {.deadline_ms = 10, .priority = Priority::kNormal});
  world.Add(b, {.deadline_ms = 90, .priority = Priority::kHigh});
  EXPECT_EQ(world.DecideAt(0).start->queue, b);
}

TEST(PolicyTest, EarlierDeadlineGoesBeforeEarlierArrival) {
  PolicyWorld world({kFree});
  const std::size_t a = world.AddQueue(4);
  const std::size_t b = world.AddQueue(4);
  world.Add(a, {.arrival_ms = 0, .deadline_ms = 90});
  world.Add(b, {.arrival_ms = 5, .deadline_ms = 80});
  EXPECT_EQ(world.DecideAt(6).start->queue, b);
}

TEST(PolicyTest, EarlierArrivalGoesFirstAmongEqualDeadlines) {
  PolicyWorld world({kFree});
  const std::size_t a = world.AddQueue(4);
  const std::size_t b = world.AddQueue(4);
  world.Add(a, {.arrival_ms = 2});
  world.Add(b, {.arrival_ms = 1});
  EXPECT_EQ(world.DecideAt(3).start->queue, b);
}

TEST(PolicyTest, TiesGoToTheLeastRecentlyServed) {
  PolicyWorld world({kFree});
  const std::size_t a = world.AddQueue(4);
  const std::size_t b = world.AddQueue(4);
  world.Add(a, {});
  world.Add(b, {});
  world.views[a].last_served = 7;
  world.views[b].last_served = 3;
  EXPECT_EQ(world.DecideAt(0).start->queue, b);
  world.views[b].last_served = 9;
  EXPECT_EQ(world.DecideAt(0).start->queue, a);
}

TEST(PolicyTest, ExpiredRequestsAreRefusedAtTheirInstantEvenWhenNoLaneIsFree) {
  PolicyWorld world({kBusy});
  const std::size_t queue = world.AddQueue(4);
  world.Add(queue, {.deadline_ms = 10});
  world.Add(queue, {.deadline_ms = 10, .priority = Priority::kLow});
  world.Add(queue, {.deadline_ms = 11});
  EXPECT_TRUE(world.DecideAt(9.999).refusals.empty());
  const PolicyDecision decision = world.DecideAt(10);
  ASSERT_EQ(decision.refusals.size(), 2U);
  for (const PolicyRefusal& refusal : decision.refusals) {
    EXPECT_EQ(refusal.reason, RefuseReason::kExpired);
    EXPECT_EQ(refusal.key.deadline, AtMs(10));
  }
  EXPECT_EQ(decision.look_again, AtMs(11));
}

TEST(PolicyTest, ExpiredRequestsAreNotPartOfTheBatchThatStartsBesideThem) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4);
  world.Add(queue, {.deadline_ms = 5});
  world.Add(queue, {.deadline_ms = 50});
  const PolicyDecision decision = world.DecideAt(6);
  EXPECT_EQ(decision.refusals.size(), 1U);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 1U);
}

TEST(PolicyTest, CancelledRequestsAreDroppedWhenTheyAreMet) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(2);
  std::vector<PuppetRequest*> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(world.Add(queue, {.arrival_ms = 1.0 * i}));
  for (const int i : {0, 2, 4}) requests[i]->cancel()->Cancel();
  const PolicyDecision decision = world.DecideAt(9);
  // The batch is full with 1 and 3, so 4 is not met.
  ASSERT_EQ(decision.refusals.size(), 2U);
  EXPECT_EQ(decision.refusals[0].key.arrival, AtMs(0));
  EXPECT_EQ(decision.refusals[1].key.arrival, AtMs(2));
  EXPECT_EQ(decision.refusals[0].reason, RefuseReason::kCancelled);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 2U);
}

TEST(PolicyTest, QueueOfCancelledRequestsStartsNothing) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(2);
  world.Add(queue, {})->cancel()->Cancel();
  const PolicyDecision decision = world.DecideAt(0);
  EXPECT_EQ(decision.refusals.size(), 1U);
  EXPECT_FALSE(decision.start.has_value());
  EXPECT_EQ(decision.look_again, TimePoint::max());
}

TEST(PolicyTest, ProfileCapsTheBatchSoThatTheOldestMeetsItsDeadline) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  for (const std::size_t n : {1, 2, 4, 8}) world.profile(queue).Learn(0, n, Ms(10.0 * n));
  world.Add(queue, {.deadline_ms = 30});
  for (int i = 0; i < 5; ++i) world.Add(queue, {.deadline_ms = 200});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 3U);
  EXPECT_EQ(decision.start->reason, CloseReason::kDeadline);
}

TEST(PolicyTest, CapMindsATighterDeadlineOfLowerPriority) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  for (const std::size_t n : {1, 2, 4, 8}) world.profile(queue).Learn(0, n, Ms(10.0 * n));
  world.Add(queue, {.deadline_ms = 200, .priority = Priority::kHigh});
  world.Add(queue, {.deadline_ms = 20, .priority = Priority::kNormal});
  world.Add(queue, {.deadline_ms = 200, .priority = Priority::kNormal});
  EXPECT_EQ(world.DecideAt(0).start->requests, 2U);
}

TEST(PolicyTest, UnknownTimesCapNothing) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  for (int i = 0; i < 6; ++i) world.Add(queue, {.deadline_ms = 1});
  EXPECT_EQ(world.DecideAt(0).start->requests, 6U);
}

TEST(PolicyTest, RequestThatWillBeLateGoesAllTheSameAndBindsNobody) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(8);
  for (const std::size_t n : {1, 2, 4, 8}) world.profile(queue).Learn(0, n, Ms(10.0 * n));
  world.Add(queue, {.deadline_ms = 5});   // needs 10
  world.Add(queue, {.deadline_ms = 30});  // holds the batch to three
  for (int i = 0; i < 5; ++i) world.Add(queue, {.deadline_ms = 200});
  EXPECT_EQ(world.DecideAt(0).start->requests, 3U);
}

TEST(PolicyTest, FastestDeviceForTheBatchIsPreferred) {
  PolicyWorld world({{0, false}, {1, false}}, 2);
  const std::size_t queue = world.AddQueue(8);
  // Device 0 is fast for one, device 1 for many.
  world.profile(queue).Learn(0, 1, Ms(5));
  world.profile(queue).Learn(0, 8, Ms(80));
  world.profile(queue).Learn(1, 1, Ms(20));
  world.profile(queue).Learn(1, 8, Ms(25));
  world.Add(queue, {});
  EXPECT_EQ(world.DecideAt(0).start->lane, 0U);
  for (int i = 0; i < 7; ++i) world.Add(queue, {});
  EXPECT_EQ(world.DecideAt(0).start->lane, 1U);
  world.lanes[1].busy = true;
  EXPECT_EQ(world.DecideAt(0).start->lane, 0U);
}

TEST(PolicyTest, DelayHoldsAPartialBatchUntilItRunsOut) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4, /*delay_ms=*/5);
  world.Add(queue, {.arrival_ms = 0});
  world.Add(queue, {.arrival_ms = 3});
  EXPECT_FALSE(world.DecideAt(4.999).start.has_value());
  EXPECT_EQ(world.DecideAt(4).look_again, AtMs(5));
  const PolicyDecision decision = world.DecideAt(5);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 2U);
  EXPECT_EQ(decision.start->reason, CloseReason::kDelay);
}

TEST(PolicyTest, DelayCountsFromTheOldestAlsoWhenANewerOneIsMoreUrgent) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4, /*delay_ms=*/5);
  world.Add(queue, {.arrival_ms = 0});
  world.Add(queue, {.arrival_ms = 3, .priority = Priority::kHigh});
  EXPECT_EQ(world.DecideAt(4).look_again, AtMs(5));
}

TEST(PolicyTest, DelayIsNotKeptForAFullBatch) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(2, /*delay_ms=*/5);
  world.Add(queue, {});
  world.Add(queue, {});
  const PolicyDecision decision = world.DecideAt(0);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->reason, CloseReason::kFull);
}

TEST(PolicyTest, DelayNeverRunsPastTheBudgetOfTheTightest) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4, /*delay_ms=*/50);
  for (const std::size_t n : {1, 2, 4}) world.profile(queue).Learn(0, n, Ms(10.0 * n));
  world.Add(queue, {.deadline_ms = 90, .priority = Priority::kHigh});
  world.Add(queue, {.deadline_ms = 60});
  EXPECT_EQ(world.DecideAt(0).look_again, AtMs(40));
  const PolicyDecision decision = world.DecideAt(40);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->requests, 2U);
  EXPECT_EQ(decision.start->reason, CloseReason::kDeadline);
}

TEST(PolicyTest, DelayOfOneModelDoesNotHoldAnother) {
  PolicyWorld world({kFree});
  const std::size_t patient = world.AddQueue(4, /*delay_ms=*/5);
  const std::size_t prompt = world.AddQueue(4);
  world.Add(patient, {.arrival_ms = 0});
  world.Add(prompt, {.arrival_ms = 1});
  EXPECT_EQ(world.DecideAt(1).start->queue, prompt);
}

TEST(PolicyTest, DrainingKeepsNoDelay) {
  PolicyWorld world({kFree});
  const std::size_t queue = world.AddQueue(4, /*delay_ms=*/5);
  world.Add(queue, {});
  const PolicyDecision decision = world.DecideAt(0, /*draining=*/true);
  ASSERT_TRUE(decision.start.has_value());
  EXPECT_EQ(decision.start->reason, CloseReason::kDrain);
}

TEST(PolicyTest, NoLanesAtAllStillExpires) {
  PolicyWorld world({});
  const std::size_t queue = world.AddQueue(4);
  world.Add(queue, {.deadline_ms = 5});
  EXPECT_EQ(world.DecideAt(0).look_again, AtMs(5));
  EXPECT_EQ(world.DecideAt(5).refusals.size(), 1U);
}

}  // namespace
}  // namespace xcloud
