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
// lock over either.
//
// Invariants
// 1. The callback of Infer is called exactly once, whatever happens, also when it is refused.
// 2. A cancelled or expired request is dropped before it is decoded, and again before it is queued.
// 3. A published snapshot never changes. A service goes kLoading -> kReady, kFailed or kNoWeights;
//    from there Load goes to kLoading again (kReady stays kReady), Unload from kReady or kLoading
//    to kUnloaded.
// 4. When Stop() has returned, no request of this server waits for decoding or in a queue.
// 5. A model's queue is removed when no request and no snapshot refers to it any more, at the
//    latest kDrainLimit after it was replaced or unloaded: until then what was accepted for a
//    version is answered by that version.
// 6. The last of Load and Unload wins: an Unload also drops the load that waits or runs, the first
//    one of a service too.
// 7. Whoever asked for one that was begun is told how it ended, once, and without a lock held: OK
//    when the model is published, or its memory given back; Cancelled when it was overtaken, or
//    when the server stopped before it came to that.
//
// Batching knobs that were changed live outlast a reload, and an unload and load, as long as
// model.toml says the same about batching and latency; when the file changed, the file wins and
// versions begin again at 1. They do not outlast the process.
//
// Ready(): the first loading has ended, some service answers if any was loaded or failed, and some
// device is well. kNoWeights does not count, and one kFailed among ready ones does not either: a
// bad folder must not take a working server out of rotation, and neither must an operator's Load.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
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
#include "models/model_lease.h"
#include "models/network.h"
#include "models/photo_group.h"
#include "models/repository.h"

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

  // Starts the loader thread. It loads and warms one model after the other, by name, publishes
  // each as it gets ready, and then does what Load and Unload ask. Call once.
  void StartLoading();
  // Blocks until every model is ready or failed, or Stop was called. REQUIRES: StartLoading.
  void WaitLoaded();
  // Refuses new requests (Unavailable) and those that wait, waits for the photos that are being
  // decoded and for the model that is being loaded (seconds at the most). Later calls do nothing.
  void Stop();

  std::vector<ServiceInfoPtr> List() const override;
  ServiceInfoPtr Find(std::string_view name) const override;
  Status Admit(std::string_view name, Priority priority, Deadline deadline) const override;
  void Infer(InferenceRequest request, InferenceCallback done) override;
  Status Ready() const override;
  std::vector<DeviceHealth> Devices() const override { return scheduler_.Devices(); }
  Result<BatchingView> Batching(std::string_view name) const override;
  Result<BatchingView> ChangeBatching(std::string_view name, const BatchingPatch& patch) override;
  // Of a service that was found at start; its folder is read again. A load that fails leaves what
  // serves, and ServiceInfo::reason says why it failed.
  Status Load(std::string_view name, StatusCallback done) override;
  Status Unload(std::string_view name, StatusCallback done) override;
  Result<ModelStatistics> Statistics(std::string_view name) const override;

 private:
  static constexpr const char* kShuttingDown = "the server is shutting down";

  // Answers by outcome, in the order of StatusCode. Shared with requests that outlive the server.
  using Outcomes = std::array<Counter*, static_cast<std::size_t>(StatusCode::kInternal) + 1>;
  struct Service {
    ServiceInfoPtr info;
    std::shared_ptr<const LoadedModel> model;            // null unless kReady
    std::shared_ptr<std::atomic<std::size_t>> upstream;  // the model's photos in the decode pool
    std::shared_ptr<const Outcomes> outcomes;
  };
  // What the end of a request is counted in.
  struct Ending {
    std::shared_ptr<const Outcomes> outcomes;
    std::shared_ptr<ModelStatisticsRecorder> statistics;  // null: no model was asked
    std::size_t items = 0;
  };
  using ServiceMap = std::map<std::string, Service, std::less<>>;

  // What is known of a service besides what is published.
  struct Upkeep {
    std::optional<BatchingControl> batching;  // since it was first loaded
    std::shared_ptr<ModelLease> lease;        // of the model that is published
    std::uint64_t unloads = 0;                // a load that began before the last one is void
  };

  // For the loader: load a service, or let go of what an unload or a load took out.
  struct Job {
    std::string service;
    bool load = false;
    std::shared_ptr<ModelLease> retired;  // unless load; null = only a load was stopped
    std::uint64_t unloads = 0;            // Upkeep::unloads when the load was asked for
    bool first = false;                   // one of StartLoading
    std::vector<StatusCallback> done;     // told when it has ended
  };

  ModelServer(const std::filesystem::path& root, const std::vector<RepositoryEntry>& entries,
              const DecodeConfig& decode, const std::vector<std::unique_ptr<Device>>& devices,
              BatchScheduler& scheduler, Clock& clock, MetricsRegistry& metrics);

  // model_server.cpp: requests.
  std::shared_ptr<const ServiceMap> services() const XC_EXCLUDES(services_mutex_);
  static const Service* FindIn(const ServiceMap& map, std::string_view name);
  Status CheckUsable(std::string_view name, const Service* service) const;
  Status CheckRoom(const Service& service, Priority priority, Deadline deadline) const;
  static Status CheckVersion(const InferenceRequest& request, const ServiceInfo& info);
  InferenceCallback Counted(Ending ending, InferenceCallback done) const;
  void Accept(const Service& service, std::unique_ptr<ItemRequest> request);
  Status Decode(const std::shared_ptr<PhotoGroup>& group, const Service& service);
  void DecodeOne(PhotoGroup& group, std::size_t photo) const;
  void FinishDecoding(PhotoGroup& group);
  void Queue(std::unique_ptr<ItemRequest> request);
  bool BeginRequest() XC_EXCLUDES(state_mutex_);
  void EndRequest() XC_EXCLUDES(state_mutex_);

  // model_server_admin.cpp: what is served.
  void AddService(const RepositoryEntry& entry) XC_EXCLUDES(admin_mutex_);
  void RunJobs() XC_EXCLUDES(admin_mutex_, state_mutex_);
  std::optional<Job> NextJob() XC_EXCLUDES(state_mutex_);
  void DropJobs() XC_EXCLUDES(state_mutex_);
  bool Enqueue(Job job, std::vector<StatusCallback>& overtaken) XC_EXCLUDES(state_mutex_);
  void EndFirstLoad() XC_REQUIRES(state_mutex_);
  Status LoadService(const Job& job, std::shared_ptr<ModelLease>& replaced)
      XC_EXCLUDES(admin_mutex_);
  Status PublishLoaded(const Job& job, const RepositoryEntry& entry,
                       std::shared_ptr<ModelLease> lease, const BatchLimits& limits,
                       std::shared_ptr<ModelLease>& replaced) XC_EXCLUDES(admin_mutex_);
  Status PublishFailed(const Job& job, const RepositoryEntry& entry, ServiceState state,
                       const Status& status) XC_EXCLUDES(admin_mutex_);
  Status BeginUnload(std::string_view name, StatusCallback done,
                     std::vector<StatusCallback>& overtaken) XC_EXCLUDES(admin_mutex_);
  void Retire(const std::string& name, std::shared_ptr<ModelLease> lease)
      XC_EXCLUDES(admin_mutex_, state_mutex_);
  BatchLimits LimitsFor(const ModelDefinition& definition) const XC_REQUIRES(admin_mutex_);
  void Publish(const std::string& name, Service service) XC_REQUIRES(admin_mutex_);
  std::shared_ptr<const Outcomes> OutcomesOf(const std::string& name);

  const std::vector<std::unique_ptr<Device>>& devices_;
  BatchScheduler& scheduler_;
  Clock& clock_;
  MetricsRegistry& metrics_;
  const std::filesystem::path root_;
  const DecodeLimits limits_;
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
  bool closed_ XC_GUARDED_BY(state_mutex_) = false;          // takes no more requests
  std::size_t first_loads_ XC_GUARDED_BY(state_mutex_) = 0;  // of StartLoading, not ended
  bool loaded_ XC_GUARDED_BY(state_mutex_) = false;          // the first loads have ended
  std::size_t in_decode_ XC_GUARDED_BY(state_mutex_) = 0;    // between Infer and the scheduler
  std::deque<Job> jobs_ XC_GUARDED_BY(state_mutex_);         // at most one load a service
  std::shared_ptr<ModelLease> retiring_ XC_GUARDED_BY(state_mutex_);

  std::thread loader_;
  DecodePool pool_;  // last: its threads use all of the above
};

}  // namespace xcloud
