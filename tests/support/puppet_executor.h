// PuppetExecutor: a lane that runs nothing; the test pulls the string.
//
// Start keeps the batch until the test calls Finish, which takes the claim, answers each part (they
// must be PuppetRequests) and reports, or Fail, which reports a failure. With finish_inside_start
// the batch ends before Start returns. A lane of depth 2 holds two; the first one ends first.
// Probe waits for FinishProbe. Aborts when more comes than the lane has room for.
// Thread safety: every method from any thread.
#pragma once

#include <cstddef>
#include <deque>
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
  std::vector<std::size_t> ids;  // one a part
  std::size_t items = 0;
  std::size_t run_items = 0;
  TimePoint closed_at;
};

class PuppetExecutor final : public BatchExecutor {
 public:
  PuppetExecutor(std::string name, std::string device, bool finish_inside_start = false)
      : finish_inside_start_(finish_inside_start) {
    info_.name = std::move(name);
    info_.device = std::move(device);
  }
  explicit PuppetExecutor(LaneInfo info) : info_(std::move(info)), finish_inside_start_(false) {}

  const LaneInfo& info() const override { return info_; }

  void Start(Batch batch, BatchDone done) override {
    {
      MutexLock lock(mutex_);
      XC_CHECK(held_.size() < info_.depth && !probe_ && !batch.parts.empty());
      StartedBatch started{batch.model, {}, batch.items, batch.run_items, batch.closed_at};
      for (const BatchPart& part : batch.parts) {
        started.ids.push_back(static_cast<PuppetRequest&>(*part.request).id());
      }
      started_.push_back(std::move(started));
      held_.push_back({std::move(batch), std::move(done)});
    }
    changed_.NotifyAll();
    if (finish_inside_start_) Finish();
  }
  void Probe(BatchDone done) override {
    {
      MutexLock lock(mutex_);
      XC_CHECK(held_.empty() && !probe_);
      probe_ = std::move(done);
      ++probes_;
    }
    changed_.NotifyAll();
  }

  // REQUIRES: a batch runs. As a lane must: answers only when the claim is still there.
  void Finish(Duration elapsed = Duration::zero()) {
    Held held = TakeFirst();
    BatchReport report;
    report.elapsed = elapsed;
    if (held.batch.claim->Take()) {
      for (const BatchPart& part : held.batch.parts) {
        static_cast<PuppetRequest&>(*part.request).Answer(part.items);
      }
    } else {
      report.outcome = BatchOutcome::kTakenBack;
    }
    held.batch.parts.clear();
    held.done(std::move(report));
  }
  void Fail(BatchOutcome outcome, Status status) {
    Held held = TakeFirst();
    BatchReport report;
    report.outcome = outcome;
    report.status = std::move(status);
    held.batch.parts.clear();
    held.done(std::move(report));
  }
  // REQUIRES: a probe runs.
  void FinishProbe(bool well) {
    BatchDone done;
    {
      MutexLock lock(mutex_);
      XC_CHECK(probe_ != nullptr);
      done = std::exchange(probe_, nullptr);
    }
    BatchReport report;
    report.outcome = well ? BatchOutcome::kAnswered : BatchOutcome::kDeviceFailed;
    if (!well) report.status = Status::Unavailable("the probe failed");
    done(std::move(report));
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
  void WaitForProbe(std::size_t count) {
    MutexLock lock(mutex_);
    while (probes_ < count) changed_.Wait(mutex_);
  }
  std::size_t probes() const {
    MutexLock lock(mutex_);
    return probes_;
  }

 private:
  struct Held {
    Batch batch;
    BatchDone done;
  };
  Held TakeFirst() {
    MutexLock lock(mutex_);
    XC_CHECK(!held_.empty());
    Held held = std::move(held_.front());
    held_.pop_front();
    return held;
  }

  LaneInfo info_;
  const bool finish_inside_start_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Held> held_ XC_GUARDED_BY(mutex_);
  BatchDone probe_ XC_GUARDED_BY(mutex_);
  std::size_t probes_ XC_GUARDED_BY(mutex_) = 0;
  std::vector<StartedBatch> started_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
