// The half of PipelineServer that changes what is served, and tells it.
#include <algorithm>
#include <utility>

#include "core/log.h"
#include "models/pipeline/pipeline_server.h"
#include "models/service_info.h"

namespace xcloud {
namespace {

void Tell(const std::vector<StatusCallback>& callbacks, const Status& status) {
  for (const StatusCallback& callback : callbacks) callback(status);
}

Status NotOfItsOwn(std::string_view name, const std::vector<Stage>& stages) {
  std::string models;
  for (const Stage& stage : stages) models += (models.empty() ? "" : ", ") + stage.model;
  return Status::Unsupported("service '" + std::string(name) +
                             "' has no queue of its own; its models have: " + models);
}

}  // namespace

PipelineServer::Declared::~Declared() {
  // First, so that what it held is gone when that is told.
  pipeline = nullptr;
  if (gone != nullptr) gone(Status::Ok());
}

PipelineServer::DeclaredPtr PipelineServer::Declare(const RepositoryEntry& entry) {
  auto declared = std::make_shared<Declared>();
  declared->entry = entry;
  if (entry.state == ServiceState::kFailed) return declared;
  if (!entry.definition.is_pipeline()) {
    declared->entry.state = ServiceState::kFailed;
    declared->entry.reason = "its model.toml is no pipeline's any more: start the server anew";
    return declared;
  }
  Result<std::shared_ptr<Pipeline>> made = MakePipeline(entry.definition, shelf_);
  declared->statistics =
      std::make_shared<ModelStatisticsRecorder>(metrics_, entry.definition.name, entry.version, 1);
  if (made.ok()) {
    declared->pipeline = *std::move(made);
  } else {
    declared->entry.state = ServiceState::kFailed;
    declared->entry.reason = made.status().message();
  }
  return declared;
}

ServiceInfoPtr PipelineServer::MakeInfo(const Declared& declared, ServiceState state,
                                        std::string reason) const {
  const ServiceInfoPtr made =
      MakeServiceInfo(declared.entry, declared.entry.definition.batching, state, std::move(reason));
  auto info = std::make_shared<ServiceInfo>(*made);
  info->backend = "pipeline";
  info->outputs.clear();
  if (declared.pipeline == nullptr) return info;
  info->has_gallery = declared.pipeline->has_gallery();
  info->takes_rows = declared.pipeline->takes_rows();
  if (info->takes_rows) info->inputs.clear();
  declared.pipeline->SetForm(info->answer);
  return info;
}

// What it is for callers: its own state, then that of the model that keeps it from answering. One
// that will not come matters more than one that is loading.
void PipelineServer::StateOf(const Slot& slot, ServiceState& state, std::string& reason) const {
  state = slot.state;
  reason = slot.reason;
  if (state != ServiceState::kReady) return;
  const Pipeline& pipeline = *slot.declared->pipeline;
  for (const Stage& stage : pipeline.stages()) {
    const ServiceInfoPtr info = models_.Find(stage.model);
    if (!stage.required || (info != nullptr && info->state == ServiceState::kReady)) continue;
    const ServiceState its = info == nullptr ? ServiceState::kNoWeights : info->state;
    if (state != ServiceState::kReady && state != ServiceState::kLoading) break;
    if (state == ServiceState::kLoading && its == ServiceState::kLoading) continue;
    state = its;
    reason = "its model '" + stage.model + "' " +
             (info == nullptr ? "is not installed: the repository has no folder of it"
              : its == ServiceState::kLoading ? "is loading"
              : info->reason.empty()          ? "is " + std::string(ServiceStateName(its))
                                              : "does not answer: " + info->reason);
  }
  if (state != ServiceState::kReady) return;
  if (Status usable = pipeline.CheckStages(models_); !usable.ok()) {
    state = ServiceState::kFailed;
    reason = usable.message();
  }
}

ServiceInfoPtr PipelineServer::InfoOf(const std::string& name) const {
  const Slot slot = SlotOf(name);
  ServiceState state{};
  std::string reason;
  StateOf(slot, state, reason);
  if (slot.info != nullptr && slot.info->state == state && slot.info->reason == reason) {
    return slot.info;
  }
  ServiceInfoPtr info = MakeInfo(*slot.declared, state, std::move(reason));
  metrics_.GetGauge("xcloud_service_ready", "1 when the service answers.", {{"model", name}})
      .Set(state == ServiceState::kReady ? 1 : 0);
  MutexLock lock(mutex_);
  Slot& kept = slots_.find(name)->second;
  if (kept.declared == slot.declared) kept.info = info;
  return info;
}

void PipelineServer::StartLoading() {
  MutexLock lock(mutex_);
  for (auto& [name, slot] : slots_) XC_CHECK(SubmitLoad(name));
}

void PipelineServer::WaitLoaded() {
  MutexLock lock(mutex_);
  while (loads_ > 0 && !stopping_) changed_.Wait(mutex_);
}

bool PipelineServer::SubmitLoad(const std::string& name) {
  Slot& slot = slots_.find(name)->second;
  if (slot.load_waits) return true;
  if (!pool_.Submit([this, name] { RunLoad(name); }).ok()) return false;
  slot.load_waits = true;
  ++loads_;
  return true;
}

void PipelineServer::RunLoad(const std::string& name) {
  std::vector<StatusCallback> done;
  Status status;
  {
    MutexLock one(load_mutex_);
    std::uint64_t unloads = 0;
    {
      MutexLock lock(mutex_);
      Slot& slot = slots_.find(name)->second;
      slot.load_waits = false;
      done.swap(slot.load_done);
      unloads = slot.unloads;
    }
    const DeclaredPtr declared = Declare(ReadRepositoryEntry(root_ / name));
    status = declared->pipeline == nullptr ? Status::InvalidArgument(declared->entry.reason)
                                           : declared->pipeline->Load();
    DeclaredPtr old;  // goes without the lock
    MutexLock lock(mutex_);
    Slot& slot = slots_.find(name)->second;
    const bool serves = slot.state == ServiceState::kReady;
    if (slot.unloads != unloads) {
      status = Status::Cancelled("service '" + name + "' was unloaded before it was loaded");
    } else if (status.ok()) {
      old = std::exchange(slot.declared, declared);
      slot.state = ServiceState::kReady;
      slot.reason.clear();
      slot.info = nullptr;
      spdlog::info("service '{}' is loaded", name);
    } else {
      spdlog::error("service '{}' failed to load: {}", name, status.message());
      const bool absent = status.code() == StatusCode::kUnavailable;
      if (serves) {
        slot.reason = "it goes on answering; the last load failed: " + status.message();
      } else {
        slot.state = absent ? ServiceState::kNoWeights : ServiceState::kFailed;
        slot.reason = status.message();
        slot.info = nullptr;
        old = std::exchange(slot.declared, declared);
      }
    }
  }
  Tell(done, status);
  MutexLock lock(mutex_);
  --loads_;
  changed_.NotifyAll();
}

Status PipelineServer::Load(std::string_view name, StatusCallback done) {
  if (!Has(name)) return models_.Load(name, std::move(done));
  MutexLock lock(mutex_);
  if (stopping_ || !SubmitLoad(std::string(name))) {
    return Status::Unavailable("the server is shutting down");
  }
  Slot& slot = slots_.find(name)->second;
  if (done != nullptr) slot.load_done.push_back(std::move(done));
  if (slot.state != ServiceState::kReady) {
    slot.state = ServiceState::kLoading;
    slot.reason = "an operator asked for it";
  }
  return Status::Ok();
}

Status PipelineServer::Unload(std::string_view name, StatusCallback done) {
  if (!Has(name)) return models_.Unload(name, std::move(done));
  std::vector<StatusCallback> overtaken;
  DeclaredPtr old;  // goes without the lock, at the latest with the last request
  {
    MutexLock lock(mutex_);
    if (stopping_) return Status::Unavailable("the server is shutting down");
    Slot& slot = slots_.find(name)->second;
    if (slot.state != ServiceState::kReady && slot.state != ServiceState::kLoading) {
      return Status::Unavailable("service '" + std::string(name) + "' is not loaded");
    }
    DeclaredPtr empty = Declare(slot.declared->entry);
    slot.declared->gone = std::move(done);
    old = std::exchange(slot.declared, std::move(empty));
    overtaken.swap(slot.load_done);
    ++slot.unloads;
    slot.state = ServiceState::kUnloaded;
    slot.reason = "unloaded by an operator";
    slot.info = nullptr;
  }
  Tell(overtaken,
       Status::Cancelled("service '" + std::string(name) + "' was unloaded before it was loaded"));
  spdlog::info("service '{}': unloaded by an operator", name);
  return Status::Ok();
}

Result<BatchingView> PipelineServer::Batching(std::string_view name) const {
  if (!Has(name)) return models_.Batching(name);
  const DeclaredPtr declared = SlotOf(name).declared;
  return NotOfItsOwn(
      name, declared->pipeline == nullptr ? std::vector<Stage>{} : declared->pipeline->stages());
}

Result<BatchingView> PipelineServer::ChangeBatching(std::string_view name,
                                                    const BatchingPatch& patch) {
  return Has(name) ? Batching(name) : models_.ChangeBatching(name, patch);
}

Result<ModelStatistics> PipelineServer::Statistics(std::string_view name,
                                                   std::string_view version) const {
  if (!Has(name)) return models_.Statistics(name, version);
  const Result<ServiceInfoPtr> info = FindVersion(name, version);
  if (!info.ok()) return info.status();
  if (Status usable = CheckUsable(**info); !usable.ok()) return usable;
  return SlotOf(name).declared->statistics->Snapshot();
}

}  // namespace xcloud
