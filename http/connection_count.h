// ConnectionCount: how many connections are open, bounded in all and for each client address;
// ConnectionSlot: one of them.
//
// Thread safety: every method from any thread. A slot gives its place back when it is destroyed.
// Memory: one entry for each address that has a connection open, so no more than `max`. They are in
// a tree: whoever chooses his addresses cannot make it slow, as he could a hash table.
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/mutex.h"
#include "http/address_key.h"

namespace xcloud {

// Whether one more connection may be served, and if not, why.
enum class Admission { kAdmitted, kServerFull, kAddressFull };

class ConnectionCount {
 public:
  // `max_per_address` 0: no such bound. `gauge` follows the count and must outlive this.
  ConnectionCount(std::size_t max, std::size_t max_per_address, Gauge& gauge)
      : max_(max), max_per_address_(max_per_address), gauge_(gauge) {}

  Admission TryAdd(AddressKey address) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (max_per_address_ > 0) {
      const auto found = by_address_.find(address);
      if (found != by_address_.end() && found->second == max_per_address_) {
        return Admission::kAddressFull;
      }
    }
    if (open_ == max_) return Admission::kServerFull;
    if (max_per_address_ > 0) ++by_address_[address];
    ++open_;
    gauge_.Set(static_cast<std::int64_t>(open_));
    return Admission::kAdmitted;
  }

  // REQUIRES: TryAdd admitted one of this address.
  void Remove(AddressKey address) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = by_address_.find(address);
    if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
    --open_;
    gauge_.Set(static_cast<std::int64_t>(open_));
    if (open_ == 0) none_open_.NotifyAll();
  }

  // False when `until` passed first.
  bool WaitNone(Clock& clock, TimePoint until) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (open_ > 0) {
      if (!clock.WaitUntil(none_open_, mutex_, until) && open_ > 0) return false;
    }
    return true;
  }

  // That have an entry.
  std::size_t addresses() const XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return by_address_.size();
  }

 private:
  const std::size_t max_;
  const std::size_t max_per_address_;
  Gauge& gauge_;
  mutable Mutex mutex_;
  CondVar none_open_;
  std::size_t open_ XC_GUARDED_BY(mutex_) = 0;
  std::map<AddressKey, std::size_t> by_address_ XC_GUARDED_BY(mutex_);
};

class ConnectionSlot {
 public:
  // Takes over a place that TryAdd gave.
  ConnectionSlot(ConnectionCount& count, AddressKey address) : count_(&count), address_(address) {}
  ConnectionSlot(ConnectionSlot&& other) noexcept
      : count_(std::exchange(other.count_, nullptr)), address_(other.address_) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot() {
    if (count_ != nullptr) count_->Remove(address_);
  }

 private:
  ConnectionCount* count_;
  AddressKey address_;
};

}  // namespace xcloud
