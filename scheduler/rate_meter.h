// RateMeter: items finished per second of the time in which there was something to do.
//
// Idle time does not count, so the rate after a quiet night is the one that a full queue will
// leave at. Recent seconds weigh more (time constant 5 s of busy time). Not thread-safe.
#pragma once

#include <cmath>
#include <cstddef>

#include "core/clock.h"

namespace xcloud {

class RateMeter {
 public:
  // The first request came to a model that had none.
  void Begin(TimePoint now) { mark_ = now; }

  // A batch of `items` is done.
  void Finish(std::size_t items, TimePoint now) {
    const double seconds = std::chrono::duration<double>(now - mark_).count();
    mark_ = now;
    const double kept = std::exp(-seconds / kTimeConstantSeconds);
    items_ = items_ * kept + static_cast<double>(items);
    seconds_ = seconds_ * kept + seconds;
  }

  // Zero = nothing measured yet.
  double ItemsPerSecond() const { return seconds_ > 0 ? items_ / seconds_ : 0; }

 private:
  static constexpr double kTimeConstantSeconds = 5;
  TimePoint mark_;
  double items_ = 0;
  double seconds_ = 0;
};

}  // namespace xcloud
