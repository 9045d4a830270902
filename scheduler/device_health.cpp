#include "scheduler/device_health.h"

#include <algorithm>
#include <utility>

#include "core/status.h"

namespace xcloud {

DeviceHealthTable::DeviceHealthTable(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Entry entry;
    entry.health.name = name;
    entries_.push_back(std::move(entry));
  }
}

void DeviceHealthTable::Fault(std::size_t device, std::string reason, TimePoint now) {
  Entry& entry = entries_[device];
  ++entry.health.faults;
  entry.health.reason = std::move(reason);
  if (entry.health.state != DeviceState::kReady) return;
  entry.health.state = DeviceState::kQuarantined;
  entry.probe_at = now + entry.pause;
}

TimePoint DeviceHealthTable::ProbeAt(std::size_t device) const {
  const Entry& entry = entries_[device];
  return entry.health.state == DeviceState::kQuarantined ? entry.probe_at : TimePoint::max();
}

void DeviceHealthTable::BeginProbe(std::size_t device) {
  XC_CHECK(entries_[device].health.state == DeviceState::kQuarantined);
  entries_[device].health.state = DeviceState::kProbing;
}

void DeviceHealthTable::EndProbe(std::size_t device, bool well, std::string reason, TimePoint now) {
  Entry& entry = entries_[device];
  XC_CHECK(entry.health.state == DeviceState::kProbing);
  entry.pause = std::min(entry.pause * 2, kLastProbe);
  if (well) {
    entry.health.state = DeviceState::kReady;
    return;
  }
  entry.health.state = DeviceState::kQuarantined;
  entry.health.reason = std::move(reason);
  entry.probe_at = now + entry.pause;
}

}  // namespace xcloud
