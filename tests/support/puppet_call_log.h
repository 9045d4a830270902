// PuppetCallLog: a CallLog that keeps its rows in memory and lets a test wait for them.
//
// Thread safety: every method from any thread.
#pragma once

#include <utility>
#include <vector>

#include "core/call_log.h"
#include "core/mutex.h"

namespace xcloud {

class PuppetCallLog final : public CallLog {
 public:
  void Append(CallRecord record) noexcept override {
    MutexLock lock(mutex_);
    records_.push_back(std::move(record));
    appended_.NotifyAll();
  }
  CallLogCounters counters() const override {
    MutexLock lock(mutex_);
    return {records_.size(), records_.size(), 0};
  }
  // Waits until there are `count` rows and returns them all.
  std::vector<CallRecord> WaitFor(std::size_t count) {
    MutexLock lock(mutex_);
    while (records_.size() < count) appended_.Wait(mutex_);
    return records_;
  }

 private:
  mutable Mutex mutex_;
  CondVar appended_;
  std::vector<CallRecord> records_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
