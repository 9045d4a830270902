// PuppetRequest and RequestLedger: requests whose ends a test can count and wait for.
//
// The ledger gives each request an id, records how it ended, and aborts when one ends twice: the
// invariant that every test of the scheduler leans on. Thread safety: the ledger from any thread.
// It must outlive its requests.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/cancel.h"
#include "core/mutex.h"
#include "core/scheduled_request.h"

namespace xcloud {

enum class Ending { kOpen, kAnswered, kRefused };

class RequestLedger {
 public:
  std::size_t Open() {
    MutexLock lock(mutex_);
    entries_.push_back({});
    return entries_.size() - 1;
  }
  void End(std::size_t id, Ending ending, Status status = Status::Ok()) {
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(id);
    XC_CHECK(entry.ending == Ending::kOpen);
    entry.ending = ending;
    entry.status = std::move(status);
    changed_.NotifyAll();
  }
  Ending ending(std::size_t id) const {
    MutexLock lock(mutex_);
    return entries_.at(id).ending;
  }
  // Blocks until the request has ended; its status (OK when it was answered).
  Status WaitForEnd(std::size_t id) {
    MutexLock lock(mutex_);
    while (entries_.at(id).ending == Ending::kOpen) changed_.Wait(mutex_);
    return entries_.at(id).status;
  }
  std::size_t Count(Ending ending) const {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const Entry& entry : entries_) count += entry.ending == ending ? 1 : 0;
    return count;
  }
  std::size_t size() const {
    MutexLock lock(mutex_);
    return entries_.size();
  }

 private:
  struct Entry {
    Ending ending = Ending::kOpen;
    Status status;
  };
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Entry> entries_ XC_GUARDED_BY(mutex_);
};

class PuppetRequest final : public ScheduledRequest {
 public:
  explicit PuppetRequest(RequestLedger& ledger) : ledger_(ledger), id_(ledger.Open()) {}

  std::size_t id() const { return id_; }
  const CancelTokenPtr& cancel() const { return cancel_; }
  void Answer() { ledger_.End(id_, Ending::kAnswered); }

  bool Cancelled() const override { return cancel_->Cancelled(); }
  void Refuse(std::size_t, std::size_t, Status status) override {
    ledger_.End(id_, Ending::kRefused, std::move(status));
  }

 private:
  RequestLedger& ledger_;
  const std::size_t id_;
  const CancelTokenPtr cancel_ = std::make_shared<CancelToken>();
};

}  // namespace xcloud
