#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace xcloud {
namespace {

constexpr double kShares[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

// Nearest rank over the sorted values: the definition that the histogram promises.
std::int64_t ExactPercentile(const std::vector<std::int64_t>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

void ExpectPercentilesMatch(std::vector<std::int64_t> values) {
  LatencyHistogram histogram;
  for (const std::int64_t value : values) histogram.Record(Duration(value));
  std::sort(values.begin(), values.end());
  for (const double share : kShares) {
    const auto exact = static_cast<double>(ExactPercentile(values, share));
    const auto told = static_cast<double>(histogram.Percentile(share).count());
    EXPECT_LE(std::abs(told - exact), exact * LatencyHistogram::kRelativeError)
        << "share " << share << " exact " << exact << " told " << told;
  }
}

TEST(LatencyHistogramTest, PercentilesOfHeavyTailedTimesAreWithinTheStatedError) {
  std::mt19937_64 engine(7);
  std::lognormal_distribution<double> spread(std::log(3e6), 1.5);  // around 3 ms
  std::vector<std::int64_t> values(50'000);
  for (auto& value : values) value = static_cast<std::int64_t>(spread(engine));
  ExpectPercentilesMatch(values);
}

TEST(LatencyHistogramTest, PercentilesHoldOverTheWholeRange) {
  std::mt19937_64 engine(11);
  std::uniform_real_distribution<double> exponent(0, 41.9);
  std::vector<std::int64_t> values(50'000);
  for (auto& value : values) value = static_cast<std::int64_t>(std::exp2(exponent(engine)));
  ExpectPercentilesMatch(values);
}

TEST(LatencyHistogramTest, BucketEdgesAreWithinTheStatedError) {
  for (int bit = 1; bit < 42; ++bit) {
    const std::int64_t power = std::int64_t{1} << bit;
    for (const std::int64_t value : {power - 1, power, power + 1}) {
      LatencyHistogram histogram;
      histogram.Record(Duration(0));
      histogram.Record(Duration(value));
      histogram.Record(Duration(LatencyHistogram::kMaxValue));
      const auto told = static_cast<double>(histogram.Percentile(0.5).count());
      EXPECT_LE(std::abs(told - static_cast<double>(value)),
                static_cast<double>(value) * LatencyHistogram::kRelativeError)
          << value;
    }
  }
}

TEST(LatencyHistogramTest, SmallCountsAreExact) {
  LatencyHistogram histogram;
  for (const int value : {5, 1, 3}) histogram.Record(Duration(value));
  EXPECT_EQ(histogram.Percentile(0), Duration(1));
  EXPECT_EQ(histogram.Percentile(0.5), Duration(3));
  EXPECT_EQ(histogram.Percentile(1), Duration(5));
  EXPECT_EQ(histogram.mean(), Duration(3));
}

TEST(LatencyHistogramTest, MergeEqualsRecordingEverythingInOne) {
  std::mt19937_64 engine(3);
  std::uniform_int_distribution<std::int64_t> spread(0, 1'000'000'000);
  LatencyHistogram all;
  LatencyHistogram parts[3];
  for (int i = 0; i < 9'000; ++i) {
    const Duration value(spread(engine));
    all.Record(value);
    parts[i % 3].Record(value);
  }
  LatencyHistogram merged;
  for (const LatencyHistogram& part : parts) merged.Merge(part);
  merged.Merge(LatencyHistogram());  // an empty one changes nothing
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  EXPECT_EQ(merged.mean(), all.mean());
  for (const double share : kShares) EXPECT_EQ(merged.Percentile(share), all.Percentile(share));
}

TEST(LatencyHistogramTest, EmptyTellsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.Percentile(0.99), Duration(0));
  EXPECT_EQ(histogram.max(), Duration(0));
  EXPECT_EQ(histogram.mean(), Duration(0));
}

TEST(LatencyHistogramTest, ExtremesStayInRangeAndMaxStaysExact) {
  LatencyHistogram histogram;
  histogram.Record(Duration(-5));  // a clock that stepped back
  const Duration day = std::chrono::hours(24);
  histogram.Record(day);
  EXPECT_EQ(histogram.min(), Duration(0));
  EXPECT_EQ(histogram.Percentile(0), Duration(0));
  EXPECT_EQ(histogram.max(), day);
  EXPECT_EQ(histogram.Percentile(1), day);
}

}  // namespace
}  // namespace xcloud
