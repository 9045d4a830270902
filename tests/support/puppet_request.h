// PuppetRequest and RequestLedger: requests whose ends a test can count and wait for.
//
// The ledger gives each request an id, records how it ended, and aborts when one ends twice: the
// invariant that every test of the scheduler leans on. Thread safety: the ledger from any thread.
// It must outlive its requests.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/cancel.h"
#include "core/item_join.h"
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
  // `items` is set before the first of these two.
  void Answer(std::size_t count = 1) { EndItems(count, Status::Ok()); }

  bool Cancelled() const override { return cancel_->Cancelled(); }
  void Refuse(std::size_t, std::size_t count, Status status) override {
    EndItems(count, std::move(status));
  }

 private:
  // The last item ends the request: answered when all of them were.
  void EndItems(std::size_t count, Status status) {
    ItemJoin* join = nullptr;
    {
      MutexLock lock(mutex_);
      if (!join_) join_.emplace(items);
      join = &*join_;
    }
    if (!join->End(count, std::move(status))) return;
    Status whole = join->TakeStatus();
    const Ending ending = whole.ok() ? Ending::kAnswered : Ending::kRefused;
    ledger_.End(id_, ending, std::move(whole));
  }

  RequestLedger& ledger_;
  const std::size_t id_;
  Mutex mutex_;
  std::optional<ItemJoin> join_ XC_GUARDED_BY(mutex_);
  const CancelTokenPtr cancel_ = std::make_shared<CancelToken>();
};

}  // namespace xcloud
