// DeviceHealthTable: which devices may get batches. A device that faults is quarantined; after a
// pause it is probed, and readmitted when the probe succeeds. The pause starts at kFirstProbe and
// doubles with each probe up to kLastProbe, until a batch has worked again: a device that passes
// its probes and fails its batches comes back less and less often.
//
// A state machine without threads or time of its own. Not thread-safe: guarded by its owner.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/clock.h"

namespace xcloud {

inline constexpr std::chrono::milliseconds kFirstProbe{250};
inline constexpr std::chrono::milliseconds kLastProbe{30'000};

class DeviceHealthTable {
 public:
  explicit DeviceHealthTable(const std::vector<std::string>& names);

  bool Usable(std::size_t device) const {
    return entries_[device].health.state == DeviceState::kReady;
  }
  // A batch failed because of the device, or hung. One more while it is in quarantine counts, and
  // puts off nothing.
  void Fault(std::size_t device, std::string reason, TimePoint now);

  // A batch was answered.
  void Worked(std::size_t device) { entries_[device].pause = kFirstProbe; }

  // When the device is to be probed; TimePoint::max() when it is ready or a probe runs.
  TimePoint ProbeAt(std::size_t device) const;
  void BeginProbe(std::size_t device);
  // REQUIRES: a probe runs. `reason` when it failed.
  void EndProbe(std::size_t device, bool well, std::string reason, TimePoint now);

  // lanes and busy are left to the owner.
  const DeviceHealth& Of(std::size_t device) const { return entries_[device].health; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    DeviceHealth health;
    TimePoint probe_at;
    std::chrono::milliseconds pause{kFirstProbe};
  };
  std::vector<Entry> entries_;
};

}  // namespace xcloud
