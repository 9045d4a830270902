#include "scheduler/admission.h"

#include <gtest/gtest.h>

#include "tests/scheduler/policy_world.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() : queue_(8), profile_(2) {
    view_.waiting = &queue_;
    view_.profile = &profile_;
    view_.limits.max_batch = 4;
    view_.limits.queue_capacity = 8;
  }

  std::optional<Refusal> Check(std::size_t items, Deadline deadline = {}) {
    AdmitQuery query;
    query.items = items;
    query.deadline = deadline;
    return Check(query);
  }
  std::optional<Refusal> Check(const AdmitQuery& query, bool probe = false) {
    return CheckAdmission({view_, lanes_, others_, rate_, query, AtMs(0), probe});
  }
  void Fill(std::size_t items, Priority priority = Priority::kNormal) {
    for (; items > 0; --items) {
      ScheduledRequestPtr request = std::make_shared<PuppetRequest>(ledger_);
      request->priority = priority;
      ASSERT_TRUE(queue_.TryPush(request, AtMs(0), Ms(1000)));
    }
  }

  RequestLedger ledger_;
  ModelQueue queue_;
  BatchProfile profile_;
  QueueView view_;
  std::vector<LaneView> lanes_{{.device = 0}, {.device = 1}};
  std::vector<QueueView> others_;
  double rate_ = 0;
};

TEST_F(AdmissionTest, TakesWhatFits) {
  Fill(4);
  EXPECT_FALSE(Check(4).has_value());
}

TEST_F(AdmissionTest, RefusesMoreItemsThanTheQueueHolds) {
  EXPECT_FALSE(Check(8).has_value());
  EXPECT_EQ(Check(9)->status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Check(0)->status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Check(9)->reason, RefuseReason::kTooLarge);
}

TEST_F(AdmissionTest, RefusesADeadlineThatHasPassed) {
  const auto refusal = Check(1, Deadline::At(AtMs(0)));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(refusal->reason, RefuseReason::kExpired);
}

TEST_F(AdmissionTest, RefusesADeadlineThatEvenAnIdleServerWouldMiss) {
  profile_.Learn(0, 1, Ms(40));
  profile_.Learn(1, 1, Ms(20));
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(21))).has_value());
  const auto refusal = Check(1, Deadline::At(AtMs(20)));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(refusal->reason, RefuseReason::kUnreachable);
}

TEST_F(AdmissionTest, AProbeIsTakenAgainstTheProfileButNotPastItsDeadline) {
  profile_.Learn(0, 1, Ms(40));
  profile_.Learn(1, 1, Ms(20));
  const auto probe = [&](Deadline deadline) {
    AdmitQuery query;
    query.deadline = deadline;
    return Check(query, true);
  };
  EXPECT_FALSE(probe(Deadline::At(AtMs(19))).has_value());
  EXPECT_TRUE(probe(Deadline::At(AtMs(0))).has_value());
}

TEST_F(AdmissionTest, UnknownTimesRefuseNobody) {
  profile_.Learn(0, 1, Ms(40));  // device 1 may be faster
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(1))).has_value());
}

TEST_F(AdmissionTest, FullQueueSaysWhenToComeAgainFromTheMeasuredRate) {
  Fill(8);
  rate_ = 3;
  const auto refusal = Check(1);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(refusal->status.retry_after(), milliseconds(2667));  // 8 items at 3/s, rounded up
}

TEST_F(AdmissionTest, RetryAfterComesFromTheProfileBeforeABatchHasFinished) {
  Fill(8);
  EXPECT_EQ(Check(1)->status.retry_after(), milliseconds(100));
  // 4 items in 40 ms on one lane and in 10 ms on the other: 500 a second.
  profile_.Learn(0, 4, Ms(40));
  profile_.Learn(1, 4, Ms(10));
  EXPECT_EQ(Check(1)->status.retry_after(), milliseconds(16));
}

TEST_F(AdmissionTest, RetryAfterIsBounded) {
  Fill(8);
  rate_ = 1e9;
  EXPECT_EQ(Check(1)->status.retry_after(), milliseconds(1));
  rate_ = 1e-9;
  EXPECT_EQ(Check(1)->status.retry_after(), milliseconds(60'000));
}

TEST_F(AdmissionTest, BacklogThatWouldMakeItLateIsRefusedWithTheTimeItWouldBeLateBy) {
  lanes_ = {{.device = 0}};
  for (std::size_t n = 1; n <= 4; ++n) profile_.Learn(0, n, Ms(10));
  Fill(8);
  view_.limits.queue_capacity = 100;
  queue_.SetCapacity(100);
  // Two batches of four are ahead: done at 30.
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(30.5))).has_value());
  const auto refusal = Check(1, Deadline::At(AtMs(28.5)));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->reason, RefuseReason::kBacklog);
  EXPECT_EQ(refusal->status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(refusal->status.retry_after(), milliseconds(2));
}

TEST_F(AdmissionTest, WhatRunsAndWhatIsUpstreamCounts) {
  lanes_ = {{.device = 0, .running = 1, .free_at = AtMs(15)}};
  for (std::size_t n = 1; n <= 4; ++n) profile_.Learn(0, n, Ms(10));
  AdmitQuery query;
  query.deadline = Deadline::At(AtMs(25.5));
  EXPECT_FALSE(Check(query).has_value());
  query.upstream_items = 4;
  EXPECT_EQ(Check(query)->reason, RefuseReason::kBacklog);
  query.upstream_items = 0;
  query.upstream_delay = Ms(16);
  EXPECT_EQ(Check(query)->reason, RefuseReason::kBacklog);
}

TEST_F(AdmissionTest, SecondLaneHalvesTheWait) {
  lanes_ = {{.device = 0}, {.device = 0}};
  for (std::size_t n = 1; n <= 4; ++n) profile_.Learn(0, n, Ms(10));
  Fill(7);
  // This is the eighth of eight, and each lane takes four.
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(15.5))).has_value());
  lanes_.pop_back();
  EXPECT_TRUE(Check(1, Deadline::At(AtMs(15.5))).has_value());
}

TEST_F(AdmissionTest, UnequalDevicesEachTakeBatchesOfTheirOwnSize) {
  // Device 0 takes 4 in 10 ms; device 1 sustains no more than one, in 40 ms. In either order.
  for (std::size_t n = 1; n <= 4; ++n) {
    profile_.Learn(0, n, Ms(10));
    profile_.Learn(1, n, Ms(40.0 * static_cast<double>(n)));
  }
  view_.limits.queue_capacity = 100;
  queue_.SetCapacity(100);
  Fill(16);
  for (const bool slow_last : {true, false}) {
    lanes_ = {{.device = slow_last ? 0U : 1U}, {.device = slow_last ? 1U : 0U}};
    // One on the slow lane; four batches of four, the last one with this request, on the fast one.
    EXPECT_FALSE(Check(1, Deadline::At(AtMs(60))).has_value()) << slow_last;
    EXPECT_TRUE(Check(1, Deadline::At(AtMs(35))).has_value()) << slow_last;
  }
}

TEST_F(AdmissionTest, OnlyWhatIsAsUrgentIsAhead) {
  lanes_ = {{.device = 0}};
  for (std::size_t n = 1; n <= 4; ++n) profile_.Learn(0, n, Ms(10));
  Fill(7, Priority::kLow);
  AdmitQuery query;
  query.deadline = Deadline::At(AtMs(11));
  EXPECT_FALSE(Check(query).has_value());
  query.priority = Priority::kLow;
  EXPECT_EQ(Check(query)->reason, RefuseReason::kBacklog);
}

TEST_F(AdmissionTest, AnotherModelsFloodCountsNoMoreThanItsFairShare) {
  lanes_ = {{.device = 0}};
  for (std::size_t n = 1; n <= 4; ++n) profile_.Learn(0, n, Ms(10));
  ModelQueue flood(1000);
  for (int i = 0; i < 400; ++i) {
    ScheduledRequestPtr request = std::make_shared<PuppetRequest>(ledger_);
    ASSERT_TRUE(flood.TryPush(request, AtMs(0), Ms(1000)));
  }
  QueueView other = view_;
  other.waiting = &flood;
  others_ = {view_, other};
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(20.5))).has_value());
  EXPECT_TRUE(Check(1, Deadline::At(AtMs(20))).has_value());
}

TEST_F(AdmissionTest, NoDeviceThatIsWellIsUnavailable) {
  lanes_[0].usable = false;
  EXPECT_FALSE(Check(1).has_value());
  lanes_[1].usable = false;
  EXPECT_EQ(Check(1)->status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(Check(1)->reason, RefuseReason::kNoDevice);
}

// They may be tensors as well as photos.
TEST_F(AdmissionTest, RefusalsSpeakOfItems) {
  EXPECT_EQ(Check(9)->status.message(), "a request may hold 1 to 8 items, this one holds 9");
  Fill(8);
  EXPECT_EQ(Check(1)->status.message().find("the queue is full: 8 items wait; "), 0U)
      << Check(1)->status.message();
}

TEST_F(AdmissionTest, UpstreamItemsTakeRoomInTheQueue) {
  Fill(6);
  AdmitQuery query;
  query.upstream_items = 1;
  EXPECT_FALSE(Check(query).has_value());
  query.upstream_items = 2;
  EXPECT_EQ(Check(query)->reason, RefuseReason::kQueueFull);
}

}  // namespace
}  // namespace xcloud
