// Batching knobs as operators see and change them while a model serves: GET and PATCH
// /admin/models/NAME/batching. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/clock.h"

namespace xcloud {

// What a PATCH names; what it leaves out stays as it is.
struct BatchingPatch {
  std::optional<std::size_t> max_batch;
  std::optional<std::size_t> queue_capacity;
  std::optional<double> max_queue_delay_ms;
  std::optional<double> latency_goal_ms;
  std::optional<bool> defer;
  std::optional<Priority> priority;
  std::optional<double> patience_ms;

  std::optional<std::uint64_t> revert_to;         // take that version's values; excludes the others
  std::optional<std::uint64_t> expected_version;  // AlreadyExists when another one is current
};

struct BatchingVersion {
  std::uint64_t version = 1;  // 1 = what model.toml says
  WallTime since;
  BatchLimits limits;
};

struct BatchingView {
  BatchingVersion current;
  std::vector<BatchingVersion> history;  // the latest kBatchingHistory, newest first, and version 1
  std::size_t max_batch_limit = 1;       // what the lanes were warmed for: max_batch's upper bound
};
inline constexpr std::size_t kBatchingHistory = 16;

}  // namespace xcloud
