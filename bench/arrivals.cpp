#include "bench/arrivals.h"

#include <cmath>
#include <random>

#include "core/status.h"

namespace xcloud {
namespace {

Duration Seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// (0, 1], from the engine's top 53 bits: std distributions may differ between libraries.
double UnitInterval(std::mt19937_64& engine) {
  return (static_cast<double>(engine() >> 11) + 1) * 0x1p-53;
}

}  // namespace

std::vector<Duration> PlanArrivals(ArrivalProcess process, double rate_per_s, Duration length,
                                   std::uint64_t seed) {
  XC_CHECK(rate_per_s > 0);
  std::vector<Duration> out;
  std::mt19937_64 engine(seed);
  double at_s = 0;
  for (std::size_t i = 0; out.size() < kMaxArrivals; ++i) {
    if (process == ArrivalProcess::kConstant) {
      at_s = static_cast<double>(i) / rate_per_s;  // not a running sum: no drift
    } else {
      at_s += -std::log(UnitInterval(engine)) / rate_per_s;
    }
    const Duration at = Seconds(at_s);
    if (at >= length) break;
    out.push_back(at);
  }
  return out;
}

}  // namespace xcloud
