// ModelServer: the InferenceService of this server: the repository's models, loaded in the
// background, and the way of one photo from encoded bytes to a lane.
//
//   Infer -> decode pool: decode, resize, crop -> BatchScheduler -> lane -> PhotoRequest::Answer
//
// Threads: every method from any thread. Find, List, Admit and Ready copy one pointer under a
// lock that is never held for longer; a load never makes them wait. Infer hands over and returns.
//
// Invariants
// 1. The callback of Infer is called exactly once, whatever happens, also when it is refused.
// 2. A cancelled or expired request is dropped before it is decoded, and again before it is queued.
// 3. A published snapshot never changes; a service goes kLoading -> kReady or kFailed, once.
// 4. When Stop() has returned, no request of this server waits for decoding or in a queue.
//
// Ready(): loading has ended, and not every service that could have been loaded has failed.
// kNoWeights does not count, and one kFailed among ready ones does not either: a bad folder must
// not take a working server out of rotation. Both are told by List().
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
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
#include "models/decode.h"
#include "models/decode_pool.h"
#include "models/network.h"
#include "models/photo_request.h"
#include "models/repository.h"

namespace xcloud {

class ModelServer final : public InferenceService {
 public:
  // Reads the repository and starts the decode pool; loads nothing yet. NotFound when the
  // repository cannot be read. All references must outlive the server; the scheduler's lanes must
  // be the lanes of `devices`, in that order (LoadedModel::networks).
  static Result<std::unique_ptr<ModelServer>> Create(
      const RepositoryConfig& repository, const DecodeConfig& decode,
      const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler,
      const Clock& clock, MetricsRegistry& metrics);
  ~ModelServer() override;

  // Starts the thread that loads and warms one model after the other, by name, and publishes each
  // as it gets ready. Call once.
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
  Status Load(std::string_view name) override;
  Status Unload(std::string_view name) override;

 private:
  // Answers by outcome, in the order of StatusCode. Shared with requests that outlive the server.
  using Outcomes = std::array<Counter*, static_cast<std::size_t>(StatusCode::kInternal) + 1>;
  struct Service {
    ServiceInfoPtr info;
    std::shared_ptr<const LoadedModel> model;  // null unless kReady
    std::shared_ptr<const Outcomes> outcomes;
  };
  using ServiceMap = std::map<std::string, Service, std::less<>>;

  ModelServer(std::vector<RepositoryEntry> entries, const DecodeConfig& decode,
              const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler,
              const Clock& clock, MetricsRegistry& metrics);

  void LoadAll();
  void LoadOne(const RepositoryEntry& entry);
  void Publish(const RepositoryEntry& entry, ServiceState state, std::string reason,
               std::shared_ptr<const LoadedModel> model);
  std::shared_ptr<const ServiceMap> services() const XC_EXCLUDES(services_mutex_);

  Status CheckUsable(std::string_view name, const Service* service) const;
  void Decode(std::unique_ptr<PhotoRequest> photo);
  Status Prepare(PhotoRequest& photo) const;
  bool BeginRequest() XC_EXCLUDES(state_mutex_);
  void EndRequest() XC_EXCLUDES(state_mutex_);

  const std::vector<std::unique_ptr<Device>>& devices_;
  BatchScheduler& scheduler_;
  const Clock& clock_;
  MetricsRegistry& metrics_;
  const std::vector<RepositoryEntry> entries_;
  const DecodeLimits limits_;
  std::atomic<bool> stopping_{false};

  // A plain lock, not an atomic shared_ptr: libstdc++ 12's takes one inside as well, and TSan
  // cannot see through it.
  mutable Mutex services_mutex_;
  std::shared_ptr<const ServiceMap> services_ XC_GUARDED_BY(services_mutex_);

  mutable Mutex state_mutex_;
  CondVar state_changed_;
  bool closed_ XC_GUARDED_BY(state_mutex_) = false;        // takes no more requests
  bool loaded_ XC_GUARDED_BY(state_mutex_) = false;        // the loader is through
  std::size_t in_decode_ XC_GUARDED_BY(state_mutex_) = 0;  // between Infer and the scheduler

  std::thread loader_;
  DecodePool pool_;  // last: its threads use all of the above
};

}  // namespace xcloud
