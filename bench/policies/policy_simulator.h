// PolicySimulator: runs one policy against planned arrivals in simulated time.
//
// Discrete events: no threads, no clock, nothing is measured. The same arguments give the same
// result on every machine. A request is in its SLO when its batch ends by its deadline; the way
// back to the caller takes no time here. Batches run without fault; a lane runs one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/policies/bench_policy.h"
#include "bench/policies/scenario.h"

namespace xcloud {

struct SimResult {
  std::uint64_t offered = 0;   // = served + refused + dropped + unserved
  std::uint64_t served = 0;    // in time or late
  std::uint64_t in_slo = 0;    // of those, in time
  std::uint64_t refused = 0;   // at the door
  std::uint64_t dropped = 0;   // later
  std::uint64_t unserved = 0;  // still waiting when nothing would happen any more
  double latency_sum_ms = 0;   // of `served`
  std::uint64_t batches = 0;   // all, also those before `skip`
  std::uint64_t batch_items = 0;

  double in_slo_share() const;  // of offered
  double refused_share() const;
  double dropped_share() const;
  double mean_latency_ms() const;  // of served
  double mean_batch() const;
  SimResult& operator+=(const SimResult& other);
};

// Counts the requests from the one with id `skip` on: those before it fill the empty server.
// `seed` draws the jitter of batch times. REQUIRES: ids are 0, 1, 2, ... by arrival.
SimResult SimulatePolicy(const Scenario& scenario, std::span<const SimRequest> arrivals,
                         std::size_t skip, std::uint64_t seed, BenchPolicy& policy);

}  // namespace xcloud
