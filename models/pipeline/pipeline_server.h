// PipelineServer: the InferenceService of this server as http sees it: services of several stages,
// in front of the ModelServer that holds the models which they ask.
//
// What is no pipeline is passed on as it is. A pipeline is ready when all the models that it needs
// are; until then its state and reason are those of the one that is not. It keeps no queue of its
// own: its stages wait in their models' queues, where batches mix the stages of all requests.
//
// Thread safety: as InferenceService; every method from any thread, and none waits. Pipelines' own
// work (decoding, crops, searching, the disk) runs on the pool; so do loads, which take
// milliseconds: a pipeline has no weights.
// Invariants
// 1. The callback of Infer is called exactly once, whatever happens.
// 2. At most kMaxRuns requests are begun at a time; one more is Overloaded.
// 3. A request is answered by the pipeline that it began with; what was unloaded goes when the last
//    of those has ended, and then whoever asked is told.
// 4. When Stop() has returned nothing of this server runs any more.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/inference_service.h"
#include "core/metrics.h"
#include "core/mutex.h"
#include "models/decode_pool.h"
#include "models/model_statistics_recorder.h"
#include "models/pipeline/gallery.h"
#include "models/pipeline/pipeline.h"
#include "models/pipeline/run.h"
#include "models/repository.h"

namespace xcloud {

class PipelineServer final : public InferenceService {
 public:
  // Each may hold a decoded photo of some megabytes.
  static constexpr std::size_t kMaxRuns = 64;

  // Reads the repository's pipelines; loads none yet. NotFound when it cannot be read. References
  // must outlive the server; `models` serves the other folders of the same repository.
  static Result<std::unique_ptr<PipelineServer>> Create(const RepositoryConfig& repository,
                                                        const DecodeConfig& decode,
                                                        InferenceService& models,
                                                        const Clock& clock,
                                                        MetricsRegistry& metrics);
  ~PipelineServer() override;

  // Loads every pipeline, on the pool. Call once.
  void StartLoading();
  // Blocks until each is loaded or failed, or BeginStop was called.
  void WaitLoaded();
  // Refuses new requests and loads (Unavailable). Those that run end with their next stage, once
  // the models refuse it.
  void BeginStop();
  // BeginStop, and waits for the requests that run. Their stages must come back: call it when the
  // models and the scheduler are stopped.
  void Stop();

  std::vector<ServiceInfoPtr> List() const override;
  ServiceInfoPtr Find(std::string_view name) const override;
  Result<ServiceInfoPtr> FindVersion(std::string_view name,
                                     std::string_view version) const override;
  // Of a pipeline `version` is "1" or empty: what it answers with has versions, it has not.
  Status Admit(std::string_view name, std::string_view version, Priority priority,
               Deadline deadline) const override;
  void Infer(InferenceRequest request, InferenceCallback done) override;
  Status Ready() const override;
  std::vector<DeviceHealth> Devices() const override { return models_.Devices(); }
  // Of a pipeline Unsupported: its models have the queues.
  Result<BatchingView> Batching(std::string_view name) const override;
  Result<BatchingView> ChangeBatching(std::string_view name, const BatchingPatch& patch) override;
  Status Load(std::string_view name, StatusCallback done) override;
  Status Unload(std::string_view name, StatusCallback done) override;
  Result<ModelStatistics> Statistics(std::string_view name,
                                     std::string_view version) const override;

 private:
  using Outcomes = std::array<Counter*, static_cast<std::size_t>(StatusCode::kInternal) + 1>;

  // A pipeline as its folder declares it, and whom to tell when it has gone.
  struct Declared {
    Declared() = default;
    ~Declared();
    RepositoryEntry entry;
    std::shared_ptr<Pipeline> pipeline;  // null: the folder is wrong
    std::shared_ptr<ModelStatisticsRecorder> statistics;
    StatusCallback gone;
  };
  using DeclaredPtr = std::shared_ptr<Declared>;

  struct Slot {
    DeclaredPtr declared;  // never null
    // Of its own loading; kReady = loaded, and then its models decide.
    ServiceState state = ServiceState::kLoading;
    std::string reason;
    ServiceInfoPtr info;  // as it was told last
    std::shared_ptr<const Outcomes> outcomes;
    std::uint64_t unloads = 0;  // a load that began before the last one is void
    bool load_waits = false;
    std::vector<StatusCallback> load_done;  // of the one that waits
  };

  PipelineServer(const std::filesystem::path& root, const std::vector<RepositoryEntry>& entries,
                 const DecodeConfig& decode, InferenceService& models, const Clock& clock,
                 MetricsRegistry& metrics);

  // pipeline_server.cpp: requests.
  bool Has(std::string_view name) const { return slots_.find(name) != slots_.end(); }
  Slot SlotOf(std::string_view name) const XC_EXCLUDES(mutex_);
  ServiceInfoPtr InfoOf(const std::string& name) const XC_EXCLUDES(mutex_);
  Status CheckUsable(const ServiceInfo& info) const;
  Status CheckRoom(const Slot& slot, Priority priority, Deadline deadline) const
      XC_EXCLUDES(mutex_);
  static Status CheckRequest(const InferenceRequest& request, const ServiceInfo& info);
  bool Begin(Status& refused) XC_EXCLUDES(mutex_);
  void EndOne() XC_EXCLUDES(mutex_);

  // pipeline_server_admin.cpp: what is served.
  DeclaredPtr Declare(const RepositoryEntry& entry);
  ServiceInfoPtr MakeInfo(const Declared& declared, ServiceState state, std::string reason) const;
  void StateOf(const Slot& slot, ServiceState& state, std::string& reason) const;
  bool SubmitLoad(const std::string& name) XC_REQUIRES(mutex_);
  void RunLoad(const std::string& name) XC_EXCLUDES(mutex_, load_mutex_);

  InferenceService& models_;
  const Clock& clock_;
  MetricsRegistry& metrics_;
  const std::filesystem::path root_;
  const DecodeLimits limits_;
  GalleryShelf shelf_;
  Mutex load_mutex_;  // one load at a time; taken before the other
  mutable Mutex mutex_;
  mutable CondVar changed_;
  // The names never change; what is behind them is guarded.
  mutable std::map<std::string, Slot, std::less<>> slots_;
  std::size_t running_ XC_GUARDED_BY(mutex_) = 0;  // requests
  std::size_t loads_ XC_GUARDED_BY(mutex_) = 0;    // in the pool
  bool stopping_ XC_GUARDED_BY(mutex_) = false;
  mutable DecodePool pool_;  // last: its threads use all of the above
};

}  // namespace xcloud
