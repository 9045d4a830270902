// PuppetCallStore: a CallStore on strings. It records each commit and when it came, fails the
// attempts that a test names, and can be held inside Commit.
//
// The strings (PuppetStrings) live longer than the log that owns the puppet, so a test can look
// at what its destructor did. Thread safety: every method of the strings from any thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/mutex.h"
#include "storage/call_store.h"

namespace xcloud {

class PuppetStrings {
 public:
  explicit PuppetStrings(const Clock& clock) : clock_(clock) {}

  // `fails(n)`: whether the n-th attempt fails, from 1.
  void FailWhen(std::function<bool(int)> fails) {
    MutexLock lock(mutex_);
    fails_ = std::move(fails);
  }
  void Hold() {
    MutexLock lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    MutexLock lock(mutex_);
    held_ = false;
    changed_.NotifyAll();
  }
  // Blocks until `count` attempts have begun.
  void WaitForAttempts(std::size_t count) {
    MutexLock lock(mutex_);
    while (attempts_.size() < count) changed_.Wait(mutex_);
  }
  std::vector<TimePoint> attempts() const {
    MutexLock lock(mutex_);
    return attempts_;
  }
  // Rows of each commit that worked, used ids left out.
  std::vector<std::size_t> group_sizes() const {
    MutexLock lock(mutex_);
    return group_sizes_;
  }
  // In the order in which they were stored.
  std::vector<std::string> ids() const {
    MutexLock lock(mutex_);
    return ids_;
  }

  Result<std::size_t> Commit(std::span<const CallRecord> rows) {
    MutexLock lock(mutex_);
    attempts_.push_back(clock_.Now());
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    if (fails_ && fails_(static_cast<int>(attempts_.size()))) {
      return Status::Unavailable("the puppet was told to fail");
    }
    std::size_t stored = 0;
    for (const CallRecord& row : rows) {
      if (!used_.insert(row.request_id).second) continue;
      ids_.push_back(row.request_id);
      ++stored;
    }
    group_sizes_.push_back(stored);
    return stored;
  }

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::function<bool(int)> fails_ XC_GUARDED_BY(mutex_);
  bool held_ XC_GUARDED_BY(mutex_) = false;
  std::vector<TimePoint> attempts_ XC_GUARDED_BY(mutex_);
  std::vector<std::size_t> group_sizes_ XC_GUARDED_BY(mutex_);
  std::vector<std::string> ids_ XC_GUARDED_BY(mutex_);
  std::set<std::string> used_ XC_GUARDED_BY(mutex_);
};

class PuppetCallStore final : public CallStore {
 public:
  explicit PuppetCallStore(std::shared_ptr<PuppetStrings> strings) : strings_(std::move(strings)) {}
  Result<std::size_t> Commit(std::span<const CallRecord> rows) override {
    return strings_->Commit(rows);
  }

 private:
  const std::shared_ptr<PuppetStrings> strings_;
};

}  // namespace xcloud
