// ConnectionCount: how many connections are open, bounded; ConnectionSlot: one of them.
//
// Thread safety: every method from any thread. A slot gives its place back when it is destroyed.
#pragma once

#include <cstddef>
#include <utility>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/mutex.h"

namespace xcloud {

class ConnectionCount {
 public:
  // `gauge` follows the count and must outlive this.
  ConnectionCount(std::size_t max, Gauge& gauge) : max_(max), gauge_(gauge) {}

  bool TryAdd() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (open_ == max_) return false;
    ++open_;
    gauge_.Set(static_cast<std::int64_t>(open_));
    return true;
  }

  void Remove() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
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

 private:
  const std::size_t max_;
  Gauge& gauge_;
  Mutex mutex_;
  CondVar none_open_;
  std::size_t open_ XC_GUARDED_BY(mutex_) = 0;
};

class ConnectionSlot {
 public:
  // Takes over a place that TryAdd gave.
  explicit ConnectionSlot(ConnectionCount& count) : count_(&count) {}
  ConnectionSlot(ConnectionSlot&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot() {
    if (count_ != nullptr) count_->Remove();
  }

 private:
  ConnectionCount* count_;
};

}  // namespace xcloud
