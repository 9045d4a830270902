// FetchMetrics: how fetches of photos end, and how long they take.
//
// Any thread. /metrics may stand on the public port, so no more is told here than to the caller: a
// host that does not exist and one that leads inside are one outcome. The debug log tells which.
#pragma once

#include <array>
#include <cstddef>

#include "core/clock.h"
#include "core/metrics.h"

namespace xcloud {

enum class FetchOutcome : std::size_t {
  kOk,
  kOff,              // no hosts are allowed
  kNotAllowed,       // the host or the port is not
  kBadUrl,           // malformed, or of a form that is refused
  kNoPublicAddress,  // there is no such host, or it has an address that is not public
  kLookupFailed,     // the name service did not answer
  kUnreachable,      // no address answers, or TLS fails
  kBadStatus,        // anything but 200
  kRefusedRedirect,  // one too many, or to where none may go
  kBroken,           // not HTTP, or ended early
  kTooLarge,
  kLate,
  kCancelled,
  kOverloaded,
  kStopping,
};
inline constexpr std::size_t kFetchOutcomes = 15;

class FetchMetrics {
 public:
  explicit FetchMetrics(MetricsRegistry& registry);
  void Ended(FetchOutcome outcome) { total_[static_cast<std::size_t>(outcome)]->Add(); }
  // Of those that were not refused at once.
  void Took(Duration time) { seconds_.Observe(ToMilliseconds(time) / 1000); }
  Gauge& open() { return open_; }
  Gauge& lookups_open() { return lookups_open_; }

 private:
  std::array<Counter*, kFetchOutcomes> total_;
  Histogram& seconds_;
  Gauge& open_;
  Gauge& lookups_open_;
};

}  // namespace xcloud
