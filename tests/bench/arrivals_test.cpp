#include "bench/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace xcloud {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

std::vector<double> GapsInSeconds(const std::vector<Duration>& arrivals) {
  std::vector<double> gaps;
  Duration previous{};
  for (const Duration at : arrivals) {
    gaps.push_back(std::chrono::duration<double>(at - previous).count());
    previous = at;
  }
  return gaps;
}

TEST(ArrivalsTest, ConstantArrivalsLeaveAtExactMultiples) {
  const auto arrivals = PlanArrivals(ArrivalProcess::kConstant, 3, seconds(1), 1);
  EXPECT_EQ(arrivals, (std::vector<Duration>{nanoseconds(0), nanoseconds(333'333'333),
                                             nanoseconds(666'666'666)}));
}

TEST(ArrivalsTest, ConstantArrivalsDoNotDrift) {
  const auto arrivals = PlanArrivals(ArrivalProcess::kConstant, 700, seconds(1000), 1);
  ASSERT_EQ(arrivals.size(), 700'000U);
  for (std::size_t i = 0; i < arrivals.size(); i += 700) {
    // On whole seconds but for the rounding of one division.
    const Duration whole = seconds(static_cast<std::int64_t>(i / 700));
    EXPECT_LE(std::abs((arrivals[i] - whole).count()), 1) << i;
  }
}

TEST(ArrivalsTest, PoissonGapsHaveTheMeanAndSpreadOfAnExponential) {
  const auto gaps = GapsInSeconds(PlanArrivals(ArrivalProcess::kPoisson, 1000, seconds(200), 5));
  const auto n = static_cast<double>(gaps.size());
  EXPECT_NEAR(n, 200'000, 4 * std::sqrt(200'000));  // a Poisson count, four sigma
  double mean = 0;
  for (const double gap : gaps) mean += gap / n;
  double variance = 0;
  double neighbours = 0;  // covariance of a gap with the one before it
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    variance += (gaps[i] - mean) * (gaps[i] - mean) / n;
    if (i > 0) neighbours += (gaps[i] - mean) * (gaps[i - 1] - mean) / n;
  }
  EXPECT_NEAR(mean, 0.001, 0.001 * 0.01);
  EXPECT_NEAR(variance / (mean * mean), 1, 0.03);
  EXPECT_NEAR(neighbours / variance, 0, 0.01);
}

TEST(ArrivalsTest, PoissonPlansRiseAndEndInTime) {
  const auto arrivals = PlanArrivals(ArrivalProcess::kPoisson, 500, seconds(2), 9);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_GE(arrivals.front(), Duration(0));
  EXPECT_LT(arrivals.back(), Duration(seconds(2)));
}

TEST(ArrivalsTest, TheSeedDecidesThePlan) {
  const auto plan = [](std::uint64_t seed) {
    return PlanArrivals(ArrivalProcess::kPoisson, 100, seconds(1), seed);
  };
  EXPECT_EQ(plan(1), plan(1));
  EXPECT_NE(plan(1), plan(2));
}

}  // namespace
}  // namespace xcloud
