// ItemJoin: counts the items of one request to their end and keeps the first error among them.
//
// Thread safety: End may be called for different items from several threads at once. Whoever gets
// true is the last, sees everything that the others wrote before their call, and is alone.
#pragma once

#include <cstddef>
#include <utility>

#include "core/mutex.h"
#include "core/status.h"

namespace xcloud {

class ItemJoin {
 public:
  explicit ItemJoin(std::size_t items) : left_(items) { XC_CHECK(items > 0); }

  // `count` more items have ended; `status` is OK when they were answered. True exactly once, for
  // the call that ends the last item. Ending more items than there are is a broken invariant.
  bool End(std::size_t count, Status status) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    XC_CHECK(count > 0 && count <= left_);
    if (first_error_.ok()) first_error_ = std::move(status);
    left_ -= count;
    return left_ == 0;
  }
  // OK when every item was answered. After End gave true.
  Status TakeStatus() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::move(first_error_);
  }

 private:
  Mutex mutex_;
  std::size_t left_ XC_GUARDED_BY(mutex_);
  Status first_error_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
