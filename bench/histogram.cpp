#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/status.h"

namespace xcloud {
namespace {

constexpr int kSubBits = 10;  // 1024 buckets a power of two
constexpr std::int64_t kSub = std::int64_t{1} << kSubBits;
constexpr std::int64_t kExact = 2 * kSub;       // below it a bucket holds one value
constexpr int kMaxShift = 42 - (kSubBits + 1);  // shift of the last power of two
constexpr std::size_t kBuckets = static_cast<std::size_t>(kExact + kMaxShift * kSub);

std::size_t BucketOf(std::int64_t value) {
  if (value < kExact) return static_cast<std::size_t>(value);
  const int shift = std::bit_width(static_cast<std::uint64_t>(value)) - (kSubBits + 1);
  const std::int64_t sub = (value >> shift) - kSub;
  return static_cast<std::size_t>(kExact + (shift - 1) * kSub + sub);
}

std::int64_t MiddleOf(std::size_t bucket) {
  const auto index = static_cast<std::int64_t>(bucket);
  if (index < kExact) return index;
  const std::int64_t shift = (index - kExact) / kSub + 1;
  const std::int64_t low = ((index - kExact) % kSub + kSub) << shift;
  return low + (std::int64_t{1} << (shift - 1));
}

}  // namespace

LatencyHistogram::LatencyHistogram() : counts_(kBuckets) {}

void LatencyHistogram::Record(Duration value) {
  const std::int64_t ns = std::max<std::int64_t>(value.count(), 0);
  ++counts_[BucketOf(std::min(ns, kMaxValue))];
  min_ = count_ == 0 ? ns : std::min(min_, ns);
  max_ = std::max(max_, ns);
  sum_ += static_cast<double>(ns);
  ++count_;
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  count_ += other.count_;
}

Duration LatencyHistogram::min() const {
  return Duration(min_);
}

Duration LatencyHistogram::max() const {
  return Duration(max_);
}

Duration LatencyHistogram::mean() const {
  if (count_ == 0) return Duration(0);
  return Duration(std::llround(sum_ / static_cast<double>(count_)));
}

Duration LatencyHistogram::Percentile(double share) const {
  XC_CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return Duration(0);
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    // The last rank is the maximum itself, which is known exactly.
    if (seen >= rank) return Duration(rank == count_ ? max_ : std::clamp(MiddleOf(i), min_, max_));
  }
  return Duration(max_);
}

}  // namespace xcloud
