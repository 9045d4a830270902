// DynamicBatcher: the threaded shell around the policy. It keeps the queues, the profile and the
// state of the lanes; one thread asks Decide what to do, does it, and sleeps until the instant
// that the policy named or until an event.
//
// Thread safety: every public method from any thread, except that Stop and the destructor come
// from one thread at a time and not from a callback. Submit and Admit hold the lock for well
// under a microsecond and never wait for a batch.
// Callbacks: ScheduledRequest::Refuse and BatchExecutor::Start are called without the lock; they
// may call back into any method but Stop. Start comes from the scheduler's thread; Refuse from
// it or from the thread in RemoveModel or Stop. A lane may call `done` from any thread, also
// inside Start.
//
// Invariants: (1) a request that Submit took is refused once or handed to a lane once; (2) a
// lane gets a batch only when it is free; (3) the batch is bound when the lane is free, not
// before: it grows until then.
//
// A request without an arrival is taken to arrive at Submit; one without a deadline gets the
// model's latency_goal, counted from its arrival, when the model has one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/batch_executor.h"
#include "core/batch_scheduler.h"
#include "core/clock.h"
#include "core/metrics.h"
#include "core/mutex.h"
#include "scheduler/admission.h"
#include "scheduler/model_queue.h"
#include "scheduler/policy.h"
#include "scheduler/profile.h"
#include "scheduler/rate_meter.h"
#include "scheduler/scheduler_metrics.h"

namespace xcloud {

class DynamicBatcher final : public BatchScheduler {
 public:
  // `lanes` may be empty (requests then wait until they expire). The clock, the registry and the
  // lanes must outlive it.
  DynamicBatcher(Clock& clock, MetricsRegistry& metrics, std::vector<BatchExecutor*> lanes);
  ~DynamicBatcher() override;
  DynamicBatcher(const DynamicBatcher&) = delete;
  DynamicBatcher& operator=(const DynamicBatcher&) = delete;

  // REQUIRES: 1 <= limits.max_batch <= limits.queue_capacity. Points of devices that no lane
  // belongs to are ignored.
  ModelId AddModel(std::string_view name, const BatchLimits& limits,
                   const std::vector<ProfilePoint>& profile) override XC_EXCLUDES(mutex_);
  void RemoveModel(ModelId model) override XC_EXCLUDES(mutex_);
  Status Admit(ModelId model, std::size_t items, Deadline deadline) const override
      XC_EXCLUDES(mutex_);
  Status Submit(ModelId model, ScheduledRequestPtr& request) override XC_EXCLUDES(mutex_);

  // Refuses what waits (Unavailable) and what comes; returns when the running batches are done
  // and every refusal has been told. May be called again.
  void Stop() XC_EXCLUDES(mutex_);

  // From now on queue delays are not kept. For a graceful stop; any thread.
  void BeginDrain() XC_EXCLUDES(mutex_);
  // Waits until nothing is queued or running: true; false when `until` came first. Queue delays
  // are not kept meanwhile. Does not refuse new requests: the caller closes the front door.
  bool WaitIdle(TimePoint until) XC_EXCLUDES(mutex_);

 private:
  struct Model {
    Model(const BatchLimits& limits, std::size_t devices, const ModelMetrics& metrics);
    const BatchLimits limits;
    ModelQueue queue;
    BatchProfile profile;
    RateMeter rate;
    ModelMetrics metrics;
    std::size_t running = 0;  // batches
    TimePoint last_finish;    // of a batch; when it was added, before the first
  };
  struct Refused {
    ScheduledRequestPtr request;
    Status status;
  };
  struct Started {
    std::size_t lane = 0;
    Batch batch;
  };
  // What is to be done without the lock.
  struct Work {
    std::optional<Started> start;
    std::vector<Refused> refused;
  };

  void Loop() XC_EXCLUDES(mutex_);
  // Sleeps until there is something to do; false = stopping.
  bool NextWork(Work& work) XC_REQUIRES(mutex_);
  void Apply(const PolicyDecision& decision, TimePoint now, Work& work) XC_REQUIRES(mutex_);
  Started Close(const PolicyStart& start, TimePoint now) XC_REQUIRES(mutex_);
  void Finish(std::size_t lane, ModelId id, std::size_t items, TimePoint started,
              const BatchReport& report) XC_EXCLUDES(mutex_);
  std::vector<Refused> RefuseAll(Model& model, RefuseReason reason, const Status& status)
      XC_REQUIRES(mutex_);
  // Calls Refuse on each, then counts them as told.
  void Tell(std::vector<Refused> refused) XC_EXCLUDES(mutex_);
  void RebuildViews() XC_REQUIRES(mutex_);
  std::optional<Refusal> Check(const Model& model, std::size_t items, Deadline deadline,
                               TimePoint now) const XC_REQUIRES(mutex_);
  bool Idle() const XC_REQUIRES(mutex_);

  Clock& clock_;
  MetricsRegistry& metrics_;
  const std::vector<BatchExecutor*> lanes_;
  std::vector<std::string> lane_names_;  // constant after the constructor, as are the next two
  std::map<std::string, std::size_t, std::less<>> devices_;
  std::vector<Counter*> lane_busy_us_;

  mutable Mutex mutex_;
  CondVar wake_;  // the scheduler thread sleeps on it
  CondVar idle_;  // WaitIdle and Stop sleep on it
  std::map<ModelId, Model> models_ XC_GUARDED_BY(mutex_);
  std::vector<QueueView> views_ XC_GUARDED_BY(mutex_);      // of models_, in its order
  std::vector<ModelId> view_models_ XC_GUARDED_BY(mutex_);  // whose views_ are
  std::vector<LaneView> lane_views_ XC_GUARDED_BY(mutex_);  // by position in lanes_
  ModelId next_model_ XC_GUARDED_BY(mutex_) = 1;
  std::uint64_t starts_ XC_GUARDED_BY(mutex_) = 0;  // batches ever started
  std::size_t waiting_ XC_GUARDED_BY(mutex_) = 0;   // requests in all queues
  std::size_t running_ XC_GUARDED_BY(mutex_) = 0;   // batches on lanes
  std::size_t untold_ XC_GUARDED_BY(mutex_) = 0;    // refused, Refuse not yet returned
  std::size_t drainers_ XC_GUARDED_BY(mutex_) = 0;  // threads in WaitIdle, and BeginDrain calls
  std::optional<TimePoint> sleeps_until_ XC_GUARDED_BY(mutex_);  // empty = awake
  bool stopping_ XC_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: starts when the rest is ready
};

}  // namespace xcloud
