#include "scheduler/admission.h"

#include <gtest/gtest.h>

#include "tests/scheduler/policy_world.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() : queue_(8), profile_(2) { view_.limits.max_batch = 4; }

  std::optional<Refusal> Check(std::size_t items, Deadline deadline = {}) {
    return CheckAdmission({view_, lanes_, rate_, items, deadline, AtMs(0)});
  }
  void Fill(std::size_t items) {
    for (; items > 0; --items) {
      ScheduledRequestPtr request = std::make_unique<PuppetRequest>(ledger_);
      ASSERT_TRUE(queue_.TryPush(request, AtMs(0)));
    }
  }

  RequestLedger ledger_;
  ModelQueue queue_;
  BatchProfile profile_;
  QueueView view_{&queue_, &profile_, {}, 0};
  std::vector<LaneView> lanes_{{0, true}, {1, true}};
  double rate_ = 0;
};

TEST_F(AdmissionTest, TakesWhatFits) {
  Fill(4);
  EXPECT_FALSE(Check(4).has_value());
}

TEST_F(AdmissionTest, RefusesMoreItemsThanABatchHolds) {
  EXPECT_EQ(Check(5)->status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Check(0)->status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Check(5)->reason, RefuseReason::kTooLarge);
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
  EXPECT_FALSE(Check(1, Deadline::At(AtMs(20))).has_value());
  const auto refusal = Check(1, Deadline::At(AtMs(19)));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(refusal->reason, RefuseReason::kUnreachable);
}

TEST_F(AdmissionTest, AProbeIsTakenAgainstTheProfileButNotPastItsDeadline) {
  profile_.Learn(0, 1, Ms(40));
  profile_.Learn(1, 1, Ms(20));
  const auto probe = [&](Deadline deadline) {
    return CheckAdmission({view_, lanes_, rate_, 1, deadline, AtMs(0), true});
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

}  // namespace
}  // namespace xcloud
