// ModelServer: the InferenceService of this server: the repository's models, loaded in the
// background, and the way of one photo from encoded bytes to a lane.
//
//   Infer -> decode pool: decode, resize, crop -> BatchScheduler -> lane -> ItemRequest::Answer
//
// Each photo of a request is a job of its own in the pool; the last of them queues the request.
// Tensors need no decoding and are queued by the thread that calls Infer.
//
// Threads: every method from any thread. Find, List, Admit and Ready copy one pointer under a
// lock that is never held for longer; a load never makes them wait. Infer hands over and returns.
// Loads and retirements of models run one after the other on the loader thread, which holds no
// lock over either; the first loads on a few threads, those of one service never at once.
//
// Invariants
// 1. The callback of Infer is called exactly once, whatever happens, also when it is refused.
// 2. A cancelled or expired request is dropped before it is decoded, and again before it is queued.
// 3. A published snapshot never changes. A service goes kLoading -> kReady, kFailed or kNoWeights;
//    from there Load goes to kLoading again (kReady stays kReady), Unload from kReady or kLoading
//    to kUnloaded.
// 4. When Stop() has returned, no request of this server waits for decoding or in a queue.
// 5. A version's queue is removed when no request and no snapshot refers to it any more, at the
//    latest kDrainLimit after it was replaced or unloaded: until then what was accepted for a
//    version is answered by that version.
// 6. The last of Load and Unload wins: an Unload also drops the load that waits or runs, the first
//    one of a service too.
// 7. Whoever asked for one that was begun is told how it ended, once, and without a lock held: OK
//    when every version is published, or its memory given back; Cancelled when it was overtaken, or
//    when the server stopped before it came to that.
// 8. A version is published when it is warm, never before, and what served is taken out only after
//    that: when a load fails, what served goes on. A label moves with the version that it is to
//    name: it never leaves one that answers for one that does not, and a new "stable" that does not
//    answer leaves requests that name no version with the version they got.
// 9. A load never answers with files that its checksums refuse, that lie outside the repository, or
//    for which there is no memory (CheckVersionFiles, CheckMemory).
//
// What a load does: the service's folder is read; of the versions that [versions] of its model.toml
// wants (PlanVersions), an operator's Load loads each anew, a poll those whose files have changed;
// versions that are no longer wanted are taken out once all that are wanted answer.
//
// Polling ([repository] control = "poll" or "both"): every poll_interval_s the loader thread looks
// at the folder, between loads. A settled change (RepositoryWatch) is loaded; a version that failed
// is not tried again before its files change, unless it failed with Unavailable (no memory then); a
// service that an operator has unloaded stays so until an operator loads it; one whose folder, or
// whose last version, is gone is taken out. A folder that is a pipeline's at the start is never
// looked at; one that becomes a pipeline's fails, saying that this needs a restart.
//
// Batching knobs that were changed live outlast a reload, and an unload and load, as long as
// model.toml says the same about batching and latency; when the file changed, the file wins and
// versions begin again at 1. They do not outlast the process, and are the same for all versions.
//
// Ready(): the first loading has ended, some service answers if any was loaded or failed, and some
// device is well. kNoWeights does not count, and one kFailed among ready ones does not either: a
// bad folder must not take a working server out of rotation, and neither must an operator's Load.
//
// Metrics, besides those of ModelStatisticsRecorder:
//   xcloud_service_ready{model}                1 while requests that name no version are answered
//   xcloud_model_version_ready{model,version}  1 while that version answers
//   xcloud_model_loads_total{model,outcome}    versions loaded, by StatusCodeName ("ok", ...)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/inference_service.h"
#include "core/metrics.h"
#include "core/mutex.h"
#include "core/result.h"
#include "models/batching_control.h"
#include "models/decode.h"
#include "models/decode_pool.h"
#include "models/item_request.h"
#include "models/load_model.h"
#include "models/memory_estimate.h"
#include "models/model_lease.h"
#include "models/network.h"
#include "models/photo_group.h"
#include "models/repository.h"
#include "models/repository_watch.h"
#include "models/served_models.h"

namespace xcloud {

class ModelServer final : public InferenceService {
 public:
  // How long a replaced or unloaded model may still answer. As [server] answer_timeout_ms: by
  // then http has answered 504 for what is left.
  static constexpr Duration kDrainLimit = std::chrono::seconds(30);

  // Reads the repository and starts the decode pool; loads nothing yet. NotFound when the
  // repository cannot be read. All references must outlive the server; the scheduler's lanes must
  // be the lanes of `devices`, in that order (LoadedModel::networks).
  static Result<std::unique_ptr<ModelServer>> Create(
      const RepositoryConfig& repository, const DecodeConfig& decode,
      const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler, Clock& clock,
      MetricsRegistry& metrics);
  ~ModelServer() override;

  // Starts the loader thread. It loads and warms the models by name, publishes each as it gets
  // ready, and then does what Load and Unload ask. Where all devices run on the host a few threads
  // more help with these first loads, a service each. Call once.
  void StartLoading();
  // Blocks until every model is ready or failed, or Stop was called. REQUIRES: StartLoading.
  void WaitLoaded();
  // Refuses new requests (Unavailable) and those that wait, waits for the photos that are being
  // decoded and for the model that is being loaded (seconds at the most). Later calls do nothing.
  void Stop();

  std::vector<ServiceInfoPtr> List() const override;
  ServiceInfoPtr Find(std::string_view name) const override;
  Result<ServiceInfoPtr> FindVersion(std::string_view name,
                                     std::string_view version) const override;
  Status Admit(std::string_view name, std::string_view version, Priority priority,
               Deadline deadline) const override;
  void Infer(InferenceRequest request, InferenceCallback done) override;
  Status Ready() const override;
  std::vector<DeviceHealth> Devices() const override { return scheduler_.Devices(); }
  Result<BatchingView> Batching(std::string_view name) const override;
  Result<BatchingView> ChangeBatching(std::string_view name, const BatchingPatch& patch) override;
  // Also of a folder that came after the start; one system call finds that out. A load that fails
  // leaves what serves, and ServiceInfo::reason says why it failed.
  Status Load(std::string_view name, StatusCallback done) override;
  Status Unload(std::string_view name, StatusCallback done) override;
  Result<ModelStatistics> Statistics(std::string_view name,
                                     std::string_view version) const override;

 private:
  static constexpr const char* kShuttingDown = "the server is shutting down";
  static constexpr const char* kPolledOnly =
      "[repository] control is \"poll\": the folder alone says what is served";
  static std::string UnloadedBefore(std::string_view name);
  // Never more items in a batch than the version was warmed for.
  static BatchLimits FittingLimits(BatchLimits limits, const LoadedModel& model);

  // What the end of a request is counted in.
  struct Ending {
    std::shared_ptr<const Outcomes> outcomes;
    std::shared_ptr<ModelStatisticsRecorder> statistics;  // null: no model was asked
    std::size_t items = 0;
  };
  // A version's files, as they were when it was loaded or when that failed.
  struct VersionStamp {
    FolderStamp definition;
    FolderStamp files;
    friend bool operator==(const VersionStamp&, const VersionStamp&) = default;
  };
  struct Kept {
    std::shared_ptr<ModelLease> lease;
    VersionStamp stamp;
  };
  struct Failure {
    Status status;
    VersionStamp stamp;
  };

  // What is known of a service besides what is published.
  struct Upkeep {
    std::optional<BatchingControl> batching;   // since it was first loaded
    std::map<std::int64_t, Kept> versions;     // the models that are published
    std::map<std::int64_t, Failure> failures;  // whose last load failed
    std::uint64_t unloads = 0;                 // a load that began before the last one is void
    bool held = false;                         // unloaded by an operator: polling leaves it alone
  };
  using Leases = std::vector<std::shared_ptr<ModelLease>>;

  // For the loader: load a service, let go of what an unload took out, or look at the folder.
  struct Job {
    enum class Kind { kLoad, kRelease, kPoll };
    Kind kind = Kind::kLoad;
    std::string service;
    bool forced = false;               // load also what has not changed
    Leases retired;                    // of kRelease; empty = only a load was stopped
    std::uint64_t unloads = 0;         // Upkeep::unloads when the load was asked for
    bool first = false;                // one of StartLoading
    std::vector<StatusCallback> done;  // told when it has ended
  };

  // One load job, as far as it has come. On the loader thread only.
  struct LoadRun {
    const Job& job;
    const std::string& name;
    ServiceStamp stamp;
    RepositoryEntry entry;
    std::set<std::int64_t> served;  // loaded anew, or kept
    std::map<std::int64_t, Status> failed;
    bool over = false;  // stopping, or overtaken: `end` says which
    Status end;
    Leases replaced;
  };

  ModelServer(const RepositoryConfig& repository, const std::vector<RepositoryEntry>& entries,
              const DecodeConfig& decode, const std::vector<std::unique_ptr<Device>>& devices,
              BatchScheduler& scheduler, Clock& clock, MetricsRegistry& metrics);

  // model_server.cpp: requests.
  std::shared_ptr<const ServiceMap> services() const XC_EXCLUDES(services_mutex_);
  Result<const ServedVersion*> FindUsable(std::string_view name, std::string_view version,
                                          const ServedService* service) const;
  Status CheckRoom(const ServedVersion& version, Priority priority, Deadline deadline) const;
  InferenceCallback Counted(Ending ending, InferenceCallback done) const;
  void Accept(const ServedVersion& version, std::unique_ptr<ItemRequest> request);
  Status Decode(const std::shared_ptr<PhotoGroup>& group, const ServedVersion& version);
  void DecodeOne(PhotoGroup& group, std::size_t photo) const;
  void FinishDecoding(PhotoGroup& group);
  void Queue(std::unique_ptr<ItemRequest> request);
  bool BeginRequest() XC_EXCLUDES(state_mutex_);
  void EndRequest() XC_EXCLUDES(state_mutex_);

  // model_server_admin.cpp: what operators ask.
  Status BeginLoad(std::string_view name, StatusCallback done) XC_REQUIRES(admin_mutex_);
  Status BeginUnload(std::string_view name, StatusCallback done,
                     std::vector<StatusCallback>& overtaken) XC_EXCLUDES(admin_mutex_);
  std::string SickDevice() const;

  // model_server_jobs.cpp: the loader thread, its jobs, and the folder that it looks at.
  void RunJobs() XC_EXCLUDES(admin_mutex_, state_mutex_);
  void RunFirstLoads() XC_EXCLUDES(admin_mutex_, state_mutex_);
  std::size_t FirstLoadsAtOnce() const;
  void RunJob(Job& job) XC_EXCLUDES(admin_mutex_, state_mutex_);
  void EndJob(const Job& job) XC_EXCLUDES(state_mutex_);
  std::optional<Job> NextJob() XC_EXCLUDES(state_mutex_);
  std::optional<Job> NextFirstLoad() XC_EXCLUDES(state_mutex_);
  Job TakeJob(std::deque<Job>::iterator place) XC_REQUIRES(state_mutex_);
  void DropJobs() XC_EXCLUDES(state_mutex_);
  bool Enqueue(Job job, std::vector<StatusCallback>& overtaken) XC_EXCLUDES(state_mutex_);
  void EndFirstLoad() XC_REQUIRES(state_mutex_);
  void ReleaseMemory();  // that nothing uses any more: the host's and the devices'
  void Retire(const std::string& name, std::shared_ptr<ModelLease> lease)
      XC_EXCLUDES(admin_mutex_, state_mutex_);
  void Poll() XC_EXCLUDES(admin_mutex_, state_mutex_);
  std::set<std::string> ShortOfRoom() const XC_EXCLUDES(admin_mutex_);
  void LoadChanged(const std::string& name) XC_EXCLUDES(admin_mutex_, state_mutex_);
  void RemoveService(const std::string& name) XC_EXCLUDES(admin_mutex_, state_mutex_);

  // model_server_loads.cpp: what a load does.
  Status LoadService(const Job& job, Leases& replaced) XC_EXCLUDES(admin_mutex_);
  void LoadVersions(LoadRun& run) XC_EXCLUDES(admin_mutex_);
  bool LoadVersion(LoadRun& run, std::int64_t number, bool forced) XC_EXCLUDES(admin_mutex_);
  bool KeepVersion(LoadRun& run, std::int64_t number, const VersionStamp& stamp, bool forced)
      XC_EXCLUDES(admin_mutex_);
  Result<WarmModel> MakeWarm(const RepositoryEntry& entry);
  Result<MemoryReservations::Held> ReserveRoom(const RepositoryEntry& entry);
  std::shared_ptr<ModelLease> OpenQueue(const RepositoryEntry& entry, WarmModel warm,
                                        BatchLimits& limits) XC_EXCLUDES(admin_mutex_);
  void PublishLoaded(LoadRun& run, const RepositoryEntry& entry, const VersionStamp& stamp,
                     std::shared_ptr<ModelLease> lease, const BatchLimits& limits)
      XC_EXCLUDES(admin_mutex_);
  void PublishFailed(LoadRun& run, std::int64_t number, const VersionStamp& stamp,
                     const Status& status) XC_EXCLUDES(admin_mutex_);
  void FinishLoad(LoadRun& run, bool complete) XC_EXCLUDES(admin_mutex_);
  Status FailService(LoadRun& run) XC_EXCLUDES(admin_mutex_);
  bool Overtaken(LoadRun& run, const Upkeep& upkeep) const;
  BatchLimits LimitsFor(const ModelDefinition& definition) const XC_REQUIRES(admin_mutex_);
  void AddService(const RepositoryEntry& entry) XC_REQUIRES(admin_mutex_);
  void Publish(const std::string& name, ServedService service) XC_REQUIRES(admin_mutex_);
  void SwapServices(std::shared_ptr<const ServiceMap> next) XC_EXCLUDES(services_mutex_);
  void CountLoad(const std::string& name, StatusCode code) const;
  // `version` empty: of the service.
  void SetReadyGauge(const std::string& name, const std::string& version, bool ready) const;
  std::shared_ptr<const Outcomes> OutcomesOf(const std::string& name);

  const std::vector<std::unique_ptr<Device>>& devices_;
  BatchScheduler& scheduler_;
  Clock& clock_;
  MetricsRegistry& metrics_;
  const RepositoryConfig repository_;
  const std::filesystem::path root_;
  const DecodeLimits limits_;
  MemoryReservations memory_{[] { return ReadMemoryRoom(); }};
  std::atomic<bool> stopping_{false};

  // One change of what is served at a time. Held for microseconds, never over I/O, loading or
  // waiting. Taken before the other two.
  mutable Mutex admin_mutex_;
  std::map<std::string, Upkeep, std::less<>> upkeep_ XC_GUARDED_BY(admin_mutex_);

  // A plain lock, not an atomic shared_ptr: libstdc++ 12's takes one inside as well, and TSan
  // cannot see through it.
  mutable Mutex services_mutex_;
  std::shared_ptr<const ServiceMap> services_ XC_GUARDED_BY(services_mutex_);

  mutable Mutex state_mutex_;
  CondVar state_changed_;
  bool closed_ XC_GUARDED_BY(state_mutex_) = false;            // takes no more requests
  std::size_t first_loads_ XC_GUARDED_BY(state_mutex_) = 0;    // of StartLoading, not ended
  bool loaded_ XC_GUARDED_BY(state_mutex_) = false;            // the first loads have ended
  std::set<std::string> running_ XC_GUARDED_BY(state_mutex_);  // services with a job that runs
  TimePoint next_poll_ XC_GUARDED_BY(state_mutex_) = TimePoint::max();
  std::size_t in_decode_ XC_GUARDED_BY(state_mutex_) = 0;  // between Infer and the scheduler
  std::deque<Job> jobs_ XC_GUARDED_BY(state_mutex_);       // at most one load a service
  std::shared_ptr<ModelLease> retiring_ XC_GUARDED_BY(state_mutex_);

  // The loader thread's; but while the first loads run, which is before the first look, guarded by
  // admin_mutex_.
  RepositoryWatch watch_;
  // Names that the services of several stages had at the start: they are PipelineServer's, whatever
  // their folders say later. Set by the constructor.
  std::set<std::string, std::less<>> pipelines_;
  bool root_is_gone_ = false;  // likewise: told once
  std::thread loader_;
  std::vector<std::thread> first_loaders_;  // beside it at the start
  DecodePool pool_;                         // last: its threads use all of the above
};

}  // namespace xcloud
