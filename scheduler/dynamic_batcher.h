// DynamicBatcher: the threaded shell around the policy. It keeps the queues, the profiles, what
// the lanes hold and the health of the devices; one thread asks Decide what to do, does it, and
// sleeps until the instant that the policy named or until an event.
//
// Thread safety: every public method from any thread, except that Stop and the destructor come
// from one thread at a time and not from a callback. Submit and Admit hold the lock for a
// microsecond or two and never wait for a batch.
// Callbacks: ScheduledRequest::Refuse and BatchExecutor::Start and Probe are called without the
// lock; they may call back into any method but Stop. Start and Probe come from the scheduler's
// thread; Refuse from it, from a lane's, or from the thread in RemoveModel or Stop. A lane may
// call `done` from any thread, also inside Start, and even after this object is gone.
//
// Invariants: (1) each item of a request that Submit took is ended once: refused here, or by the
// lane that took the claim of its batch; (2) a lane holds at most its depth; (3) a batch is bound
// when a lane is free, not before: it grows until then.
//
// Failures. A batch that fails while its device is well is bisected (failed_batch.h). A batch
// whose device fails, or that runs longer than its lane's hang_after, puts the device into
// quarantine, and its parts run once more, as a group, on whatever device is well; the second
// time they are refused (Unavailable). The device is probed and readmitted (device_health.h). A
// lane that hangs stays out of use until it calls back.
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
#include "scheduler/busy_meter.h"
#include "scheduler/device_health.h"
#include "scheduler/fair_share.h"
#include "scheduler/lane_board.h"
#include "scheduler/model_queue.h"
#include "scheduler/policy.h"
#include "scheduler/profile.h"
#include "scheduler/profile_store.h"
#include "scheduler/rate_meter.h"
#include "scheduler/scheduler_metrics.h"

namespace xcloud {

class DynamicBatcher final : public BatchScheduler {
 public:
  // `lanes` may be empty (requests then wait until they expire). The clock, the registry and the
  // lanes must outlive it, and so must the store; without one nothing learned is kept.
  DynamicBatcher(Clock& clock, MetricsRegistry& metrics, std::vector<BatchExecutor*> lanes,
                 ProfileStore* store = nullptr);
  ~DynamicBatcher() override;
  DynamicBatcher(const DynamicBatcher&) = delete;
  DynamicBatcher& operator=(const DynamicBatcher&) = delete;

  // REQUIRES: 1 <= limits.max_batch <= limits.queue_capacity. Points of devices that no lane
  // belongs to are ignored.
  ModelId AddModel(std::string_view name, std::string_view version, const BatchLimits& limits,
                   const std::vector<ProfilePoint>& profile) override XC_EXCLUDES(mutex_);
  void RemoveModel(ModelId model) override XC_EXCLUDES(mutex_);
  void SetLimits(ModelId model, const BatchLimits& limits) override XC_EXCLUDES(mutex_);
  Status Admit(ModelId model, const AdmitQuery& query) const override XC_EXCLUDES(mutex_);
  Status Submit(ModelId model, ScheduledRequestPtr& request) override XC_EXCLUDES(mutex_);
  std::vector<DeviceHealth> Devices() const override XC_EXCLUDES(mutex_);

  // Refuses what waits (Unavailable) and what comes; returns when the running batches are done or
  // hang (those of a lane without hang_after are waited for), and every refusal has been told. May
  // be called again.
  void Stop() XC_EXCLUDES(mutex_);
  // Batches and probes that hang: their lanes cannot be joined.
  std::size_t lost() const XC_EXCLUDES(mutex_);

  // Writes what was learned of every model to the store; does disk I/O, not under the lock. Also
  // done for a model that is removed, and by Stop.
  void SaveProfiles() XC_EXCLUDES(mutex_);

  // From now on queue delays are not kept. For a graceful stop; any thread.
  void BeginDrain() XC_EXCLUDES(mutex_);
  // Waits until nothing is queued or running: true; false when `until` came first. Queue delays
  // are not kept meanwhile. Does not refuse new requests: the caller closes the front door.
  bool WaitIdle(TimePoint until) XC_EXCLUDES(mutex_);

 private:
  // By which lanes call back. Outlives the batcher if a lane hangs.
  struct DonePort {
    Mutex mutex;
    DynamicBatcher* batcher XC_GUARDED_BY(mutex) = nullptr;
  };
  struct Model {
    Model(std::size_t capacity, std::size_t devices, const ModelMetrics& metrics);
    std::string name;
    std::string version;
    ModelQueue queue;
    BatchProfile profile;
    RateMeter rate;
    ModelMetrics metrics;
    std::size_t running = 0;  // batches, lost ones not counted
    TimePoint last_finish;    // of a batch; when it was added, before the first
  };
  struct Learned {
    std::string model;
    std::string version;
    std::vector<ProfileEntry> entries;
  };
  struct Refused {
    BatchPart part;
    Status status;
  };
  struct Started {
    std::size_t lane = 0;
    std::uint64_t run = 0;
    Batch batch;  // no parts: a probe
  };
  // What is to be done without the lock.
  struct Work {
    std::vector<Started> starts;
    std::vector<Refused> refused;
    bool empty() const { return starts.empty() && refused.empty(); }
  };

  void Loop() XC_EXCLUDES(mutex_);
  // Sleeps until there is something to do; false = stopping.
  bool NextWork(Work& work) XC_REQUIRES(mutex_);
  void Apply(const PolicyDecision& decision, TimePoint now, Work& work) XC_REQUIRES(mutex_);
  Started Close(const PolicyStart& start, TimePoint now) XC_REQUIRES(mutex_);

  // dynamic_batcher_runs.cpp: the ends of batches, and the failures.
  BatchDone DoneOf(std::size_t lane, std::uint64_t run) const;
  void Finish(std::size_t lane, std::uint64_t run, const BatchReport& report) XC_EXCLUDES(mutex_);
  void FinishBatch(std::size_t lane, BatchRun& run, const BatchReport& report, TimePoint now,
                   std::vector<Refused>& refused) XC_REQUIRES(mutex_);
  void FinishProbe(std::size_t lane, const BatchReport& report, TimePoint now) XC_REQUIRES(mutex_);
  void TakeBackHung(TimePoint now, std::vector<Refused>& refused) XC_REQUIRES(mutex_);
  void BeginProbes(TimePoint now, Work& work) XC_REQUIRES(mutex_);
  void WaitForRunning() XC_EXCLUDES(mutex_);
  void AskForSweep() const XC_REQUIRES(mutex_);
  void SweepCancelled(std::vector<Refused>& refused) XC_REQUIRES(mutex_);
  TimePoint NextProbe() const XC_REQUIRES(mutex_);
  void Fault(std::size_t lane, const std::string& reason, TimePoint now) XC_REQUIRES(mutex_);
  void RunAgain(BatchRun& run, bool device_failed, const Status& why, std::vector<Refused>& refused)
      XC_REQUIRES(mutex_);
  void Requeue(Model& model, std::vector<Waiting> parts) XC_REQUIRES(mutex_);
  void NoteEnd() XC_REQUIRES(mutex_);

  void RefuseAll(Model& model, RefuseReason reason, const Status& status,
                 std::vector<Refused>& refused) XC_REQUIRES(mutex_);
  // Takes the part out of its queue and counts it out.
  BatchPart Leave(Model& model, const WaitingKey& key) XC_REQUIRES(mutex_);
  void Refuse(Model* model, BatchPart part, RefuseReason reason, Status status,
              std::vector<Refused>& refused) XC_REQUIRES(mutex_);
  // Calls Refuse on each, then counts them as told.
  void Tell(std::vector<Refused> refused) XC_EXCLUDES(mutex_);
  Learned LearnedBy(const Model& model) const XC_REQUIRES(mutex_);
  void Save(const Learned& learned) XC_EXCLUDES(mutex_);
  std::size_t IndexOf(ModelId model) const XC_REQUIRES(mutex_);
  bool NeedsWaking(const QueueView& view, const ScheduledRequest& request) const
      XC_REQUIRES(mutex_);
  AdmissionQuery QueryOf(ModelId id, const Model& model, const AdmitQuery& query,
                         TimePoint now) const XC_REQUIRES(mutex_);
  Status RefusalStatus(const PolicyRefusal& refusal, TimePoint now) const XC_REQUIRES(mutex_);
  bool Idle() const XC_REQUIRES(mutex_);

  Clock& clock_;
  MetricsRegistry& metrics_;
  const std::vector<BatchExecutor*> lanes_;
  std::vector<std::string> lane_names_;  // constant after the constructor, as are the next four
  std::vector<std::string> device_names_;
  std::map<std::string, std::size_t, std::less<>> devices_;
  std::vector<Histogram*> lane_busy_seconds_;
  std::vector<DeviceMetrics> device_metrics_;
  Gauge& imbalance_;
  const std::shared_ptr<DonePort> port_;
  ProfileStore* const store_;

  mutable Mutex mutex_;
  mutable CondVar wake_;  // the scheduler thread sleeps on it
  CondVar idle_;          // WaitIdle and Stop sleep on it
  std::map<ModelId, Model> models_ XC_GUARDED_BY(mutex_);
  std::vector<QueueView> views_ XC_GUARDED_BY(mutex_);      // of models_, in its order
  std::vector<ModelId> view_models_ XC_GUARDED_BY(mutex_);  // whose views_ are
  DeviceHealthTable health_ XC_GUARDED_BY(mutex_);
  LaneBoard board_ XC_GUARDED_BY(mutex_);
  std::vector<BusyMeter> busy_ XC_GUARDED_BY(mutex_);  // by device
  FairShare fair_share_ XC_GUARDED_BY(mutex_);
  PassedOver passed_over_ XC_GUARDED_BY(mutex_){};
  ModelId next_model_ XC_GUARDED_BY(mutex_) = 1;
  std::uint64_t starts_ XC_GUARDED_BY(mutex_) = 0;  // batches ever started
  std::size_t waiting_ XC_GUARDED_BY(mutex_) = 0;   // parts in all queues
  std::size_t lost_ XC_GUARDED_BY(mutex_) = 0;      // batches and probes that hang
  std::size_t untold_ XC_GUARDED_BY(mutex_) = 0;    // refused, Refuse not yet returned
  std::size_t drainers_ XC_GUARDED_BY(mutex_) = 0;  // threads in WaitIdle, and BeginDrain calls
  std::optional<TimePoint> sleeps_until_ XC_GUARDED_BY(mutex_);  // empty = awake
  bool stopping_ XC_GUARDED_BY(mutex_) = false;
  mutable bool sweep_cancelled_ XC_GUARDED_BY(mutex_) = false;  // a queue was found full

  std::thread thread_;  // last: starts when the rest is ready
};

}  // namespace xcloud
