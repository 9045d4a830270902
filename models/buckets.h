// Buckets: the batch sizes that a lane is warmed and profiled for: every size up to 8, then
// powers of two and max_batch itself. Pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace xcloud {

// REQUIRES: max_batch >= 1. Rising, the last is max_batch: 6 gives 1, 2, 4, 6.
inline std::vector<std::size_t> BatchBuckets(std::size_t max_batch) {
  std::vector<std::size_t> buckets;
  for (std::size_t size = 1; size < max_batch; size *= 2) buckets.push_back(size);
  buckets.push_back(max_batch);
  return buckets;
}

// The smallest bucket that holds `items`. REQUIRES: 1 <= items <= max_batch.
inline std::size_t BucketFor(std::size_t items, std::size_t max_batch) {
  std::size_t bucket = 1;
  while (bucket < items) bucket *= 2;
  return std::min(bucket, max_batch);
}

// CPU lanes run the very size that comes, so small sizes are all met in warm-up and not by a
// caller.
inline constexpr std::size_t kEverySizeUpTo = 8;

// What warm-up runs: 20 gives 1, 2, 3, 4, 5, 6, 7, 8, 16, 20. REQUIRES: max_batch >= 1.
inline std::vector<std::size_t> WarmSizes(std::size_t max_batch) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 1; n <= std::min(max_batch, kEverySizeUpTo); ++n) sizes.push_back(n);
  for (const std::size_t bucket : BatchBuckets(max_batch)) {
    if (bucket > kEverySizeUpTo) sizes.push_back(bucket);
  }
  return sizes;
}

// The smallest of WarmSizes that holds `items`. REQUIRES: 1 <= items <= max_batch.
inline std::size_t WarmSizeFor(std::size_t items, std::size_t max_batch) {
  return items <= kEverySizeUpTo ? items : BucketFor(items, max_batch);
}

}  // namespace xcloud
