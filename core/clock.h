// Clock: the only source of time. Passed in, never looked up, so tests own it.
//
// Now() is for intervals and deadlines (monotonic); WallNow() is for people (logs, call rows).
// Production uses SystemClock; tests use tests/support/fake_clock.h.
#pragma once

#include <chrono>

#include "core/mutex.h"

namespace xcloud {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;  // nanoseconds
using WallTime = std::chrono::system_clock::time_point;

inline double ToMilliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}
inline Duration FromMilliseconds(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  virtual WallTime WallNow() const = 0;
  // Waits on `cv` until notified or until `when` (TimePoint::max() = only when notified).
  // Returns false when `when` passed. `mutex` is held on entry and on return. Wakes may be
  // spurious: the caller loops on its own condition.
  virtual bool WaitUntil(CondVar& cv, Mutex& mutex, TimePoint when) XC_REQUIRES(mutex) = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
  bool WaitUntil(CondVar& cv, Mutex& mutex, TimePoint when) override XC_REQUIRES(mutex) {
    if (when == TimePoint::max()) {
      cv.Wait(mutex);
      return true;
    }
    return cv.WaitUntil(mutex, when);
  }
};

}  // namespace xcloud
