// Scenario: everything that a simulated run depends on, made from a seed: models, lanes, true
// batch times, arrivals with deadlines, and when callers give up. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/batch_scheduler.h"
#include "scheduler/policy.h"

namespace xcloud {

// The true time of a batch of n items: base_ms + item_ms * n.
struct AffineTime {
  double base_ms = 0;
  double item_ms = 0;
};

struct SimModel {
  BatchLimits limits;
  std::vector<AffineTime> times;  // by device
  double warm_up_factor = 0;      // the profile starts at the true times by this; 0 = unknown
};

struct SimArrival {
  TimePoint at;
  std::size_t model = 0;
  std::size_t items = 1;
  Priority priority = Priority::kNormal;
  Deadline deadline;
  std::optional<TimePoint> cancel_at;
  bool poison = false;  // every batch that holds one of its items fails
};

// A device that is out of order for a while: what it runs is taken back, and runs elsewhere.
struct SimOutage {
  std::size_t device = 0;
  TimePoint from;
  TimePoint to;
};

struct Scenario {
  std::uint64_t seed = 0;
  std::size_t devices = 1;
  std::vector<LaneView> lanes;
  std::vector<SimModel> models;
  std::vector<SimArrival> arrivals;  // in order of time
  std::vector<SimOutage> outages;
  double noise = 0;        // a batch takes up to 1 + noise of its true time
  bool drain = false;      // draining from the last arrival on
  bool poisoned = false;   // some arrivals are poison
  bool admission = false;  // arrivals are asked about, as the shell does
};

// 1 to 6 models, 1 to 6 lanes of depth 1 or 2 on 1 to 3 devices, 20 to 200 requests at light to
// crushing load; some of more items than a batch holds, some poison; some devices fail.
Scenario RandomScenario(std::uint64_t seed);

}  // namespace xcloud
