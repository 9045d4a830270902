// BatchingControl: the batching knobs of one model while it serves, as numbered versions: what
// they are, how they came to be, and whether a change is allowed. Pure: no clock, no scheduler.
//
// Version 1 is what model.toml says. Each change makes the next version, also one that goes back
// (revert_to): history only grows, so what was in force when can always be told. The latest
// kBatchingHistory versions are kept, and version 1. Not thread-safe: guarded by its owner.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "core/batching.h"
#include "core/clock.h"
#include "core/result.h"

namespace xcloud {

class BatchingControl {
 public:
  // `declared` is model.toml's; its max_batch is what the lanes are warmed for, and bounds every
  // later one. `now` is when it came into force.
  BatchingControl(const BatchLimits& declared, WallTime now);

  const BatchLimits& limits() const { return history_.front().limits; }
  const BatchLimits& declared() const { return first_.limits; }
  BatchingView View() const;

  // Checks the whole patch, then makes it the current version; a patch that changes no value makes
  // none. On an error nothing is changed. InvalidArgument names every wrong value; NotFound =
  // revert_to names no version that is kept; AlreadyExists = expected_version is not current.
  Status Apply(const BatchingPatch& patch, WallTime now);

 private:
  Result<BatchLimits> Changed(const BatchingPatch& patch) const;
  Result<BatchLimits> Reverted(const BatchingPatch& patch) const;

  const BatchingVersion first_;
  std::deque<BatchingVersion> history_;  // newest first, never empty
};

// What differs between two versions, for people: "max_batch 8 -> 4, latency_goal 100 ms -> none".
std::string DescribeChange(const BatchLimits& from, const BatchLimits& to);

}  // namespace xcloud
