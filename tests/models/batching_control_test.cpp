#include "models/batching_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

WallTime At(int second) {
  return WallTime(seconds(second));
}

BatchLimits Declared() {
  BatchLimits limits;
  limits.max_batch = 8;
  limits.queue_capacity = 64;
  limits.latency_goal = milliseconds(100);
  return limits;
}

BatchingPatch MaxBatch(std::size_t items) {
  BatchingPatch patch;
  patch.max_batch = items;
  return patch;
}

std::vector<std::uint64_t> Versions(const BatchingView& view) {
  std::vector<std::uint64_t> versions;
  for (const BatchingVersion& version : view.history) versions.push_back(version.version);
  return versions;
}

// Refused with a message, and nothing is changed.
void ExpectRefused(const BatchingPatch& patch, const char* why,
                   StatusCode code = StatusCode::kInvalidArgument) {
  BatchingControl control(Declared(), At(0));
  const Status status = control.Apply(patch, At(1));
  EXPECT_EQ(status.code(), code);
  EXPECT_THAT(status.message(), HasSubstr(why));
  EXPECT_EQ(control.limits(), Declared());
  EXPECT_EQ(Versions(control.View()), std::vector<std::uint64_t>{1});
}

TEST(BatchingControlTest, BeginsWithWhatModelTomlSays) {
  const BatchingControl control(Declared(), At(5));
  const BatchingView view = control.View();
  EXPECT_EQ(view.current.version, 1U);
  EXPECT_EQ(view.current.since, At(5));
  EXPECT_EQ(view.current.limits, Declared());
  EXPECT_EQ(view.max_batch_limit, 8U);
  EXPECT_EQ(Versions(view), std::vector<std::uint64_t>{1});
}

TEST(BatchingControlTest, AppliesEachKnobAndLeavesTheRest) {
  BatchingControl control(Declared(), At(0));
  ASSERT_TRUE(control.Apply(MaxBatch(4), At(1)).ok());
  BatchLimits expected = Declared();
  expected.max_batch = 4;
  EXPECT_EQ(control.limits(), expected);
  BatchingPatch patch;
  patch.queue_capacity = 4;
  patch.max_queue_delay_ms = 1.5;
  patch.latency_goal_ms = 0;
  patch.defer = true;
  patch.priority = Priority::kLow;
  patch.patience_ms = 600'000;
  patch.expected_version = 2;
  ASSERT_TRUE(control.Apply(patch, At(2)).ok());
  expected.queue_capacity = 4;
  expected.max_queue_delay = std::chrono::microseconds(1500);
  expected.latency_goal = Duration::zero();
  expected.defer = true;
  expected.priority = Priority::kLow;
  expected.patience = seconds(600);
  EXPECT_EQ(control.limits(), expected);
  EXPECT_EQ(control.declared(), Declared());
  EXPECT_EQ(control.View().current.since, At(2));
  EXPECT_EQ(Versions(control.View()), (std::vector<std::uint64_t>{3, 2, 1}));
}

TEST(BatchingControlTest, EveryWrongValueIsNamedAtOnce) {
  BatchingPatch patch;
  patch.max_batch = 9;
  patch.queue_capacity = 1'000'001;
  patch.max_queue_delay_ms = -1;
  patch.latency_goal_ms = 3'600'001;
  patch.patience_ms = 0.5;
  patch.defer = true;
  for (const char* why :
       {"max_batch must be 1 to 8, is 9", "queue_capacity must be 1 to 1000000, is 1000001",
        "max_queue_delay_ms must be 0 to 10000, is -1",
        "latency_goal_ms must be 0 to 3600000, is 3600001",
        "patience_ms must be 1 to 600000, is 0.5"}) {
    ExpectRefused(patch, why);
  }
}

TEST(BatchingControlTest, NumbersThatAreNoneAreRefused) {
  for (const double wrong :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (std::optional<double> BatchingPatch::*knob :
         {&BatchingPatch::max_queue_delay_ms, &BatchingPatch::latency_goal_ms,
          &BatchingPatch::patience_ms}) {
      BatchingPatch patch;
      patch.*knob = wrong;
      ExpectRefused(patch, "must be");
    }
  }
  ExpectRefused(MaxBatch(0), "max_batch must be 1 to 8, is 0");
}

TEST(BatchingControlTest, TheQueueMustHoldABatchOfTheResult) {
  BatchingPatch patch;
  patch.queue_capacity = 7;
  ExpectRefused(patch, "a queue_capacity of 7 cannot hold a max_batch of 8");
  patch.max_batch = 7;
  BatchingControl control(Declared(), At(0));
  EXPECT_TRUE(control.Apply(patch, At(1)).ok());
  EXPECT_EQ(control.Apply(MaxBatch(8), At(2)).code(), StatusCode::kInvalidArgument);
}

TEST(BatchingControlTest, APatchWithoutAKnobIsRefused) {
  ExpectRefused({}, "names no knob");
  BatchingPatch patch;
  patch.expected_version = 1;
  ExpectRefused(patch, "names no knob");
}

TEST(BatchingControlTest, AnotherVersionThanExpectedIsToldWhichIsCurrent) {
  BatchingPatch patch = MaxBatch(2);
  patch.expected_version = 3;
  ExpectRefused(patch, "version 1 is current, not 3", StatusCode::kAlreadyExists);
}

TEST(BatchingControlTest, RevertingIsAVersionOfItsOwn) {
  BatchingControl control(Declared(), At(0));
  ASSERT_TRUE(control.Apply(MaxBatch(4), At(1)).ok());
  ASSERT_TRUE(control.Apply(MaxBatch(2), At(2)).ok());
  BatchingPatch revert;
  revert.revert_to = 2;
  ASSERT_TRUE(control.Apply(revert, At(3)).ok());
  EXPECT_EQ(control.limits().max_batch, 4U);
  revert.revert_to = 1;
  ASSERT_TRUE(control.Apply(revert, At(4)).ok());
  EXPECT_EQ(control.limits(), Declared());
  EXPECT_EQ(Versions(control.View()), (std::vector<std::uint64_t>{5, 4, 3, 2, 1}));
}

TEST(BatchingControlTest, RevertingExcludesOtherKnobsAndUnknownVersions) {
  BatchingPatch patch = MaxBatch(2);
  patch.revert_to = 1;
  ExpectRefused(patch, "name no other knob");
  BatchingPatch unknown;
  unknown.revert_to = 7;
  ExpectRefused(unknown, "version 7 is not kept", StatusCode::kNotFound);
}

TEST(BatchingControlTest, WhatChangesNothingMakesNoVersion) {
  BatchingControl control(Declared(), At(0));
  EXPECT_TRUE(control.Apply(MaxBatch(8), At(1)).ok());
  EXPECT_EQ(control.View().current.version, 1U);
  EXPECT_EQ(control.View().current.since, At(0));
}

TEST(BatchingControlTest, KeepsTheLatestAndTheFirst) {
  BatchingControl control(Declared(), At(0));
  for (int i = 1; i <= 40; ++i) {
    ASSERT_TRUE(control.Apply(MaxBatch(static_cast<std::size_t>(1 + i % 8)), At(i)).ok());
  }
  const std::vector<std::uint64_t> versions = Versions(control.View());
  ASSERT_EQ(versions.size(), kBatchingHistory + 1);
  EXPECT_EQ(versions.front(), 41U);
  EXPECT_EQ(versions[kBatchingHistory - 1], 26U);
  EXPECT_EQ(versions.back(), 1U);
  BatchingPatch revert;
  revert.revert_to = 25;
  EXPECT_EQ(control.Apply(revert, At(50)).code(), StatusCode::kNotFound);
  revert.revert_to = 1;
  EXPECT_TRUE(control.Apply(revert, At(50)).ok());
}

TEST(BatchingControlTest, AChangeIsDescribedForTheLog) {
  BatchLimits to = Declared();
  EXPECT_EQ(DescribeChange(Declared(), to), "nothing");
  to.max_batch = 4;
  to.latency_goal = Duration::zero();
  to.priority = Priority::kHigh;
  EXPECT_EQ(DescribeChange(Declared(), to),
            "max_batch 8 -> 4, latency_goal 100 ms -> none, priority normal -> high");
}

}  // namespace
}  // namespace xcloud
