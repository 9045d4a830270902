// PuppetExecutor: a lane that runs nothing; the test pulls the string.
//
// Start keeps the batch until the test calls Finish, which answers each request (they must be
// PuppetRequests) and reports. With finish_inside_start the batch ends before Start returns.
// Aborts when a batch comes to a busy lane. Thread safety: every method from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/batch_executor.h"
#include "core/mutex.h"
#include "tests/support/puppet_request.h"

namespace xcloud {

// What a test may ask about a batch once it has started.
struct StartedBatch {
  ModelId model = 0;
  std::vector<std::size_t> ids;
  std::size_t items = 0;
  TimePoint closed_at;
};

class PuppetExecutor final : public BatchExecutor {
 public:
  PuppetExecutor(std::string name, std::string device, bool finish_inside_start = false)
      : info_{std::move(name), std::move(device)}, finish_inside_start_(finish_inside_start) {}

  const LaneInfo& info() const override { return info_; }

  void Start(Batch batch, BatchDone done) override {
    {
      MutexLock lock(mutex_);
      XC_CHECK(!batch_.has_value());
      StartedBatch started{batch.model, {}, batch.items, batch.closed_at};
      for (const ScheduledRequestPtr& request : batch.requests) {
        started.ids.push_back(static_cast<PuppetRequest&>(*request).id());
      }
      started_.push_back(std::move(started));
      batch_ = std::move(batch);
      done_ = std::move(done);
    }
    changed_.NotifyAll();
    if (finish_inside_start_) Finish();
  }

  // REQUIRES: a batch runs.
  void Finish(Duration elapsed = Duration::zero(), Status status = Status::Ok()) {
    Batch batch;
    BatchDone done;
    {
      MutexLock lock(mutex_);
      XC_CHECK(batch_.has_value());
      batch = std::move(*batch_);
      batch_.reset();
      done = std::move(done_);
    }
    for (ScheduledRequestPtr& request : batch.requests) {
      static_cast<PuppetRequest&>(*request).Answer();
    }
    done({std::move(status), elapsed});
  }

  // Blocks until `count` batches have started since the beginning, then gives the last of them.
  StartedBatch WaitForStart(std::size_t count) {
    MutexLock lock(mutex_);
    while (started_.size() < count) changed_.Wait(mutex_);
    return started_[count - 1];
  }
  std::size_t starts() const {
    MutexLock lock(mutex_);
    return started_.size();
  }

 private:
  const LaneInfo info_;
  const bool finish_inside_start_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<Batch> batch_ XC_GUARDED_BY(mutex_);
  BatchDone done_ XC_GUARDED_BY(mutex_);
  std::vector<StartedBatch> started_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
