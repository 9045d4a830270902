#include "scheduler/profile.h"

#include <gtest/gtest.h>

#include <random>

#include "scheduler/rate_meter.h"
#include "tests/scheduler/policy_world.h"

namespace xcloud {
namespace {

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
