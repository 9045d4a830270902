// Arrivals: when each request of an open-loop run is meant to leave. Made before the run, so the
// plan cannot bend to the server's pace.
//
// Pure functions; any thread. The same arguments give the same plan on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clock.h"

namespace xcloud {

enum class ArrivalProcess {
  kConstant,  // request i at i / rate
  kPoisson,   // independent exponential gaps of mean 1 / rate
};

// More would not fit the memory that the plan may take (8 bytes each).
inline constexpr std::size_t kMaxArrivals = 10'000'000;

// Instants from the start of the run, rising, all below `length`. The first constant one is 0.
// REQUIRES: rate_per_s > 0, and rate_per_s * length well below kMaxArrivals.
std::vector<Duration> PlanArrivals(ArrivalProcess process, double rate_per_s, Duration length,
                                   std::uint64_t seed);

}  // namespace xcloud
