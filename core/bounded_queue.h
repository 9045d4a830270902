// BoundedQueue: a multi-producer multi-consumer FIFO that refuses instead of growing.
//
// TryPush never blocks: a full or closed queue returns false and leaves the value untouched, so
// the caller still owns what it tried to hand over. Consumers block. After Close() producers
// are refused and consumers drain what is left, then get nothing.
// Thread safety: every method from any thread. At our rates (< 50k/s) an uncontended lock costs
// 20-50 ns (shared/performance.md, section 6), so a lock-free ring would buy nothing.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/mutex.h"
#include "core/status.h"

namespace xcloud {

template <class T>
class BoundedQueue {
 public:
  // REQUIRES: capacity > 0.
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) { XC_CHECK(capacity > 0); }

  // Moves from `value` only when it returns true.
  bool TryPush(T&& value) XC_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(value));
    }
    ready_.NotifyOne();
    return true;
  }

  // Blocks for one value; nothing once the queue is closed and empty.
  std::optional<T> Pop() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (items_.empty() && !closed_) ready_.Wait(mutex_);
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    return value;
  }

  // Takes up to `max` values that wait now, without blocking.
  std::vector<T> TryPopUpTo(std::size_t max) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::vector<T> out;
    while (!items_.empty() && out.size() < max) {
      out.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    return out;
  }

  void Close() XC_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    ready_.NotifyAll();
  }

  std::size_t size() const XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return items_.size();
  }
  std::size_t capacity() const { return capacity_; }

 private:
  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<T> items_ XC_GUARDED_BY(mutex_);
  bool closed_ XC_GUARDED_BY(mutex_) = false;
};

}  // namespace xcloud
