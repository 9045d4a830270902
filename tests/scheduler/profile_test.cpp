#include "scheduler/profile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "scheduler/rate_meter.h"

namespace xcloud {
namespace {

Duration Ms(double ms) {
  return FromMilliseconds(ms);
}
TimePoint AtMs(double ms) {
  return TimePoint(std::chrono::hours(1)) + Ms(ms);
}

double EstimateMs(const BatchProfile& profile, std::size_t items, std::size_t device = 0) {
  return ToMilliseconds(profile.Estimate(device, items));
}

TEST(BatchProfileTest, UnknownIsZero) {
  BatchProfile profile(2);
  profile.Learn(1, 4, Ms(10));
  EXPECT_EQ(profile.Estimate(0, 4), Duration::zero());
  EXPECT_EQ(profile.Estimate(1, 4), Ms(10));
}

TEST(BatchProfileTest, InterpolatesBetweenBucketsAndExtendsTheLastSlope) {
  BatchProfile profile(1);
  for (const std::size_t n : {1, 4, 16}) profile.Learn(0, n, Ms(2 + 3.0 * n));
  for (const std::size_t n : {1, 2, 3, 4, 9, 16, 20, 2000}) {
    EXPECT_NEAR(EstimateMs(profile, n), 2 + 3.0 * n, 1e-5) << n;
  }
}

TEST(BatchProfileTest, IsOptimisticBesideASinglePoint) {
  BatchProfile profile(1);
  profile.Learn(0, 8, Ms(80));
  EXPECT_NEAR(EstimateMs(profile, 2), 20, 1e-5);
  EXPECT_NEAR(EstimateMs(profile, 64), 80, 1e-5);
}

TEST(BatchProfileTest, NeverExtendsAFallingSlope) {
  BatchProfile profile(1);
  profile.Learn(0, 1, Ms(10));
  profile.Learn(0, 2, Ms(8));
  EXPECT_NEAR(EstimateMs(profile, 100), 8, 1e-5);
}

TEST(BatchProfileTest, ConstantTimesAreLearntExactly) {
  BatchProfile profile(1);
  for (int i = 0; i < 100; ++i) profile.Learn(0, 4, Ms(7));
  EXPECT_NEAR(EstimateMs(profile, 4), 7, 1e-5);
}

TEST(BatchProfileTest, SizesOfOneBucketStayOnTheLine) {
  BatchProfile profile(1);
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) {
    const std::size_t n = 1 + random() % 12;
    profile.Learn(0, n, Ms(5 + 2.0 * n));
  }
  for (std::size_t n = 1; n <= 12; ++n) EXPECT_NEAR(EstimateMs(profile, n), 5 + 2.0 * n, 0.05) << n;
}

TEST(BatchProfileTest, EstimateIsExceededByAboutOneBatchInTwenty) {
  BatchProfile profile(1);
  std::mt19937_64 random(2);
  std::normal_distribution<double> time_ms(50, 5);
  int over = 0;
  constexpr int kBatches = 20'000;
  for (int i = 0; i < kBatches; ++i) {
    const double ms = time_ms(random);
    if (i >= 100 && ms > EstimateMs(profile, 8)) ++over;
    profile.Learn(0, 8, Ms(ms));
  }
  EXPECT_GT(over, kBatches * 0.03);
  EXPECT_LT(over, kBatches * 0.09);
}

TEST(BatchProfileTest, FollowsAChangeOfSpeedWithinADozenBatchesOrTwo) {
  BatchProfile profile(1);
  profile.Learn(0, 1, Ms(10));
  for (int i = 0; i < 12; ++i) profile.Learn(0, 1, Ms(30));
  EXPECT_GT(EstimateMs(profile, 1), 27);
  for (int i = 0; i < 40; ++i) profile.Learn(0, 1, Ms(10));
  EXPECT_LT(EstimateMs(profile, 1), 11);
}

TEST(BatchProfileTest, OneHiccupDoesNotDoubleTheEstimate) {
  BatchProfile profile(1);
  for (int i = 0; i < 50; ++i) profile.Learn(0, 4, Ms(10));
  profile.Learn(0, 4, Ms(1000));
  EXPECT_LT(EstimateMs(profile, 4), 15);
  EXPECT_GT(EstimateMs(profile, 4), 10);
}

TEST(BatchProfileTest, TimesThatAreNotTimesAreIgnored) {
  BatchProfile profile(1);
  profile.Learn(0, 4, Duration::zero());
  EXPECT_EQ(profile.Estimate(0, 4), Duration::zero());
}

TEST(BatchProfileTest, SmallSizesAreLearntEachOnItsOwn) {
  BatchProfile profile(1);
  for (std::size_t n = 1; n <= 8; ++n) profile.Learn(0, n, Ms(n % 2 == 0 ? 10 : 20));
  for (std::size_t n = 1; n <= 8; ++n) EXPECT_NEAR(EstimateMs(profile, n), n % 2 ? 20 : 10, 1e-5);
}

TEST(BatchProfileTest, OddSizesDoNotBlurTheWarmedSizeAboveThem) {
  BatchProfile profile(1);
  profile.Learn(0, 16, Ms(10));
  for (int i = 0; i < 20; ++i) profile.Learn(0, 13, Ms(30));
  EXPECT_NEAR(EstimateMs(profile, 16), 10, 1e-5);
}

TEST(BatchProfileTest, PadsToAKnownSizeThatIsCheaper) {
  BatchProfile profile(1);
  for (const std::size_t n : {1, 2, 4, 8, 16, 32}) profile.Learn(0, n, Ms(5 + 0.1 * n));
  EXPECT_EQ(profile.CheapestSize(0, 13, 32), 13U);  // not tried yet: optimistic
  profile.Learn(0, 13, Ms(20));
  EXPECT_EQ(profile.CheapestSize(0, 13, 32), 16U);
  EXPECT_EQ(profile.Cost(0, 13, 32), profile.Estimate(0, 16));
  EXPECT_EQ(profile.CheapestSize(0, 13, 15), 13U) << "16 is over max_batch";
  EXPECT_EQ(profile.Cost(0, 13, 15), Ms(20));
  EXPECT_EQ(profile.CheapestSize(0, 16, 32), 16U);
  EXPECT_EQ(profile.CheapestSize(0, 40, 32), 40U) << "nothing larger is known";
}

TEST(BatchProfileTest, PadsToTheCheapestOfSeveral) {
  BatchProfile profile(1);
  for (const auto& [n, ms] : {std::pair{3, 30.0}, {4, 20.0}, {5, 15.0}, {6, 15.0}, {8, 18.0}}) {
    profile.Learn(0, static_cast<std::size_t>(n), Ms(ms));
  }
  EXPECT_EQ(profile.CheapestSize(0, 3, 8), 5U);
  EXPECT_EQ(profile.CheapestSize(0, 3, 4), 4U);
}

TEST(BatchProfileTest, PaddingMustGainTwoPerCent) {
  BatchProfile profile(1);
  profile.Learn(0, 3, Ms(100));
  profile.Learn(0, 4, Ms(98.5));
  EXPECT_EQ(profile.CheapestSize(0, 3, 8), 3U);
  EXPECT_EQ(profile.Cost(0, 3, 8), Ms(100));
  BatchProfile steeper(1);
  steeper.Learn(0, 3, Ms(100));
  steeper.Learn(0, 4, Ms(97.5));
  EXPECT_EQ(steeper.CheapestSize(0, 3, 8), 4U);
}

TEST(BatchProfileTest, NothingIsPaddedWhereNothingIsKnown) {
  const BatchProfile profile(1);
  EXPECT_EQ(profile.CheapestSize(0, 3, 8), 3U);
  EXPECT_EQ(profile.Cost(0, 3, 8), Duration::zero());
}

TEST(BatchProfileTest, CostFallsByAtMostThePaddingGainAsABatchGrows) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    BatchProfile profile(1);
    for (const std::size_t n : {1, 2, 3, 5, 8, 13, 16, 27, 32, 50, 64}) {
      profile.Learn(0, n, Ms(1.0 + static_cast<double>(random() % 100)));
    }
    for (std::size_t n = 1; n < 64; ++n) {
      const double cost = ToMilliseconds(profile.Cost(0, n, 64));
      EXPECT_GE(ToMilliseconds(profile.Cost(0, n + 1, 64)), cost * 0.98 - 1e-5) << n;
      EXPECT_LE(cost, EstimateMs(profile, n)) << n;
    }
  }
}

ProfileEntry Entry(std::size_t size, double mean_ms, double deviation_ms = 0) {
  return {"cpu0", size, static_cast<double>(size), mean_ms * 1e6, deviation_ms * 1e6};
}

TEST(BatchProfileRestoreTest, WhatWasExportedComesBack) {
  BatchProfile before(2);
  std::mt19937_64 random(4);
  for (int i = 0; i < 1000; ++i) {
    const std::size_t n = 1 + random() % 40;
    before.Learn(1, n, Ms(5 + 2.0 * n + static_cast<double>(random() % 3)));
  }
  BatchProfile after(2);
  for (const std::size_t n : {1, 8, 16, 32, 40}) after.Learn(1, n, Ms(7 + 2.0 * n));
  const std::vector<ProfileEntry> kept = before.Export(1, "cpu0");
  EXPECT_EQ(after.Restore(1, "cpu0", kept), kept.size());
  EXPECT_EQ(after.Export(1, "cpu0"), kept);
  for (std::size_t n = 1; n <= 40; ++n) EXPECT_EQ(after.Estimate(1, n), before.Estimate(1, n));
  EXPECT_TRUE(after.Export(0, "cpu0").empty());
}

TEST(BatchProfileRestoreTest, WarmUpWinsWhenTheMachineChanged) {
  BatchProfile profile(1);
  for (const std::size_t n : {1, 2, 4}) profile.Learn(0, n, Ms(10));
  EXPECT_EQ(profile.Restore(0, "cpu0", {Entry(1, 29), Entry(2, 31), Entry(4, 3.2)}), 1U);
  EXPECT_NEAR(EstimateMs(profile, 1), 29, 1e-5);
  EXPECT_NEAR(EstimateMs(profile, 2), 10, 1e-5);
  EXPECT_NEAR(EstimateMs(profile, 4), 10, 1e-5);
}

TEST(BatchProfileRestoreTest, SizesThatWarmUpSkippedAreHeldAgainstTheLineBetween) {
  BatchProfile profile(1);
  profile.Learn(0, 16, Ms(10));
  profile.Learn(0, 32, Ms(20));
  EXPECT_EQ(profile.Restore(0, "cpu0", {Entry(24, 40, 1), Entry(20, 50)}), 1U);
  EXPECT_NEAR(EstimateMs(profile, 24), 42, 1e-5);
  EXPECT_NEAR(EstimateMs(profile, 16), 10, 1e-5);
}

TEST(BatchProfileRestoreTest, EachEntryIsHeldAgainstWarmUpAndNotAgainstTheOthers) {
  BatchProfile profile(1);
  profile.Learn(0, 1, Ms(10));
  profile.Learn(0, 8, Ms(10));
  EXPECT_EQ(profile.Restore(0, "cpu0", {Entry(3, 29), Entry(4, 80)}), 1U);
}

TEST(BatchProfileRestoreTest, WithoutWarmUpNothingIsTaken) {
  BatchProfile profile(1);
  EXPECT_EQ(profile.Restore(0, "cpu0", {Entry(1, 10)}), 0U);
  EXPECT_EQ(profile.Estimate(0, 1), Duration::zero());
}

TEST(BatchProfileRestoreTest, OtherDevicesAndNonsenseAreLeftOut) {
  BatchProfile profile(1);
  for (const std::size_t n : {1, 16}) profile.Learn(0, n, Ms(10));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ProfileEntry elsewhere = Entry(1, 11);
  elsewhere.device = "cuda1";
  ProfileEntry wrong_bucket = Entry(16, 11);
  wrong_bucket.items = 12;
  ProfileEntry above_its_size = Entry(20, 11);
  above_its_size.items = 21;
  EXPECT_EQ(profile.Restore(0, "cpu0",
                            {elsewhere, wrong_bucket, above_its_size, Entry(0, 11), Entry(1, nan),
                             Entry(1, 11, -1), Entry(1, 11, nan), Entry(1, -11)}),
            0U);
  EXPECT_NEAR(EstimateMs(profile, 1), 10, 1e-5);
}

TEST(BatchProfileRestoreTest, PaddingKnowsTheSizeThatWarmUpRan) {
  BatchProfile profile(1);
  profile.Learn(0, 9, Ms(30));
  profile.Learn(0, 24, Ms(10));
  EXPECT_EQ(profile.Restore(0, "cpu0", {Entry(20, 10)}), 1U);
  EXPECT_EQ(profile.CheapestSize(0, 9, 64), 24U);
}

TEST(RateMeterTest, CountsBusyTimeOnly) {
  RateMeter meter;
  EXPECT_EQ(meter.ItemsPerSecond(), 0);
  meter.Begin(AtMs(0));
  meter.Finish(10, AtMs(100));
  meter.Begin(AtMs(60'000));  // a quiet minute
  meter.Finish(10, AtMs(60'100));
  EXPECT_NEAR(meter.ItemsPerSecond(), 100, 1e-6);
}

TEST(RateMeterTest, RecentTimeWeighsMore) {
  RateMeter meter;
  meter.Begin(AtMs(0));
  for (int i = 1; i <= 100; ++i) meter.Finish(1, AtMs(100.0 * i));
  for (int i = 1; i <= 100; ++i) meter.Finish(10, AtMs(10'000 + 100.0 * i));
  EXPECT_GT(meter.ItemsPerSecond(), 75);
  EXPECT_LT(meter.ItemsPerSecond(), 100);
}

}  // namespace
}  // namespace xcloud
