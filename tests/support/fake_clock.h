// FakeClock: time that moves only when a test says so.
//
// Advance() wakes every thread that waits through WaitUntil. WaitForSleepers(n) returns when n
// threads wait, so a test can advance only after the code under test has gone to sleep; no test
// needs a real sleep. Thread safety: every method from any thread.
#pragma once

#include <algorithm>
#include <vector>

#include "core/clock.h"

namespace xcloud {

class FakeClock final : public Clock {
 public:
  TimePoint Now() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  WallTime WallNow() const override {
    MutexLock lock(mutex_);
    return WallTime(std::chrono::duration_cast<WallTime::duration>(now_.time_since_epoch()));
  }

  bool WaitUntil(CondVar& cv, Mutex& mutex, TimePoint when) override XC_NO_THREAD_SAFETY_ANALYSIS {
    {
      MutexLock lock(mutex_);
      if (now_ >= when) return false;
      sleepers_.push_back({&cv, &mutex, when});
    }
    changed_.NotifyAll();
    cv.Wait(mutex);
    MutexLock lock(mutex_);
    const auto self = std::find_if(sleepers_.begin(), sleepers_.end(), [&](const Sleeper& s) {
      return s.cv == &cv && s.mutex == &mutex && s.when == when;
    });
    if (self != sleepers_.end()) sleepers_.erase(self);
    return now_ < when;
  }

  void Advance(Duration by) XC_NO_THREAD_SAFETY_ANALYSIS {
    std::vector<Sleeper> wake;
    {
      MutexLock lock(mutex_);
      now_ += by;
      wake = sleepers_;
      // Their time has come: who waits for sleepers means those that sleep again.
      std::erase_if(sleepers_, [this](const Sleeper& s) { return s.when <= now_; });
    }
    for (const Sleeper& sleeper : wake) {
      // Taking the sleeper's mutex closes the gap between its check and its wait.
      sleeper.mutex->Lock();
      sleeper.cv->NotifyAll();
      sleeper.mutex->Unlock();
    }
  }

  // Blocks until at least `count` threads wait; `until` filters for those that wait for a time
  // no later than it.
  void WaitForSleepers(std::size_t count, TimePoint until = TimePoint::max()) {
    MutexLock lock(mutex_);
    while (Matching(until) < count) changed_.Wait(mutex_);
  }

 private:
  struct Sleeper {
    CondVar* cv;
    Mutex* mutex;
    TimePoint when;
  };
  std::size_t Matching(TimePoint until) const {
    return static_cast<std::size_t>(std::count_if(
        sleepers_.begin(), sleepers_.end(), [until](const Sleeper& s) { return s.when <= until; }));
  }

  mutable Mutex mutex_;
  CondVar changed_;
  TimePoint now_{std::chrono::hours(1)};
  std::vector<Sleeper> sleepers_;
};

}  // namespace xcloud
