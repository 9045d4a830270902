// Buckets: the batch sizes that a lane is warmed and profiled for: 1, 2, 4, ... and max_batch
// itself. Pure functions.
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

}  // namespace xcloud
