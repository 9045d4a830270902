// BusyMeter: how busy one device was of late, as a share of its lanes' time: an exponentially
// weighted mean over kBusySeconds. And the imbalance of several. Not thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "core/clock.h"

namespace xcloud {

class BusyMeter {
 public:
  static constexpr double kBusySeconds = 10;

  // A batch that took `time` of one of the device's `lanes` has just ended.
  void Add(Duration time, std::size_t lanes, TimePoint now) {
    Decay(now);
    share_ += std::chrono::duration<double>(time).count() /
              (kBusySeconds * static_cast<double>(std::max<std::size_t>(lanes, 1)));
  }
  double Share(TimePoint now) {
    Decay(now);
    return share_;
  }

 private:
  void Decay(TimePoint now) {
    share_ *= std::exp(-std::chrono::duration<double>(now - mark_).count() / kBusySeconds);
    mark_ = now;
  }
  double share_ = 0;
  TimePoint mark_;
};

// 0 = all equally busy, 1000 = one does everything. Of two devices of unequal speed the slow one is
// busy as long and does less: this is about time, not about items.
inline int ImbalancePermille(std::span<BusyMeter> devices, TimePoint now) {
  double most = 0;
  double least = 1e9;
  for (BusyMeter& device : devices) {
    most = std::max(most, device.Share(now));
    least = std::min(least, device.Share(now));
  }
  return most > 0 ? static_cast<int>(std::lround(1000 * (most - least) / most)) : 0;
}

}  // namespace xcloud
