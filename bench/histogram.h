// LatencyHistogram: counts of durations in log-linear buckets, for percentiles of long runs.
//
// Shape (after HdrHistogram's idea): values below 2048 ns are kept exactly; above, each power of
// two is cut into 1024 equal buckets. A percentile is given as the middle of its bucket, so it is
// off by at most 1/2048 (0.05 %) of the value. Min, max, count and sum are exact.
// Invariants: fixed memory (about 270 KiB); values below 0 count as 0, values above kMaxValue
// (about 73 minutes) count in the last bucket, and max() still tells them exactly.
// Threads: not thread-safe; use one per thread and Merge them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clock.h"

namespace xcloud {

class LatencyHistogram {
 public:
  static constexpr std::int64_t kMaxValue = (std::int64_t{1} << 42) - 1;  // nanoseconds
  static constexpr double kRelativeError = 1.0 / 2048;

  LatencyHistogram();

  void Record(Duration value);
  void Merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  // Zero when nothing was recorded.
  Duration min() const;
  Duration max() const;
  Duration mean() const;
  // Nearest rank: the smallest value with at least `share` of the records at or below it.
  // Zero when nothing was recorded. REQUIRES: 0 <= share <= 1.
  Duration Percentile(double share) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0;  // nanoseconds; a double cannot overflow in long runs
};

}  // namespace xcloud
