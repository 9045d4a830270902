// What a load of ModelServer does, on the loader thread: from a service's folder to the versions
// that are published.
#include <algorithm>
#include <utility>

#include "core/log.h"
#include "models/load_model.h"
#include "models/model_server.h"
#include "models/repository_files.h"
#include "models/service_info.h"

namespace xcloud {
namespace {

std::string ProfileText(const std::vector<ProfilePoint>& profile) {
  std::string text;
  for (const ProfilePoint& point : profile) {
    text += fmt::format("{}{} {}: {:.1f} ms", text.empty() ? "" : ", ", point.device, point.items,
                        ToMilliseconds(point.elapsed));
  }
  return text;
}

std::vector<std::int64_t> Numbers(const RepositoryEntry& entry) {
  std::vector<std::int64_t> numbers;
  for (const RepositoryVersion& version : entry.versions) numbers.push_back(version.number);
  return numbers;
}

// What a service that answers says of a load that failed.
std::string GoesOn(const ServedService& service, const std::string& why) {
  std::string versions;
  std::size_t count = 0;
  for (const auto& [number, version] : service.versions) {
    if (version.model == nullptr) continue;
    versions += (count++ > 0 ? ", " : "") + std::to_string(number);
  }
  return (count > 1 ? "versions " + versions + " go" : "version " + versions + " goes") +
         " on answering; the last load failed: " + why;
}

std::string Joined(const std::map<std::int64_t, Status>& failed) {
  std::string all;
  for (const auto& [number, status] : failed) {
    all += (all.empty() ? "" : "; ") + status.message();
  }
  return all;
}

// Labels as the folder says, but none leaves a version that answers for one that does not; and a
// new "stable" does not take `unnamed`, which requests that name none got until now, from them.
std::map<std::string, std::int64_t, std::less<>> MovedLabels(const ServedService& service,
                                                             const VersionPolicy& policy,
                                                             std::int64_t unnamed) {
  const auto answers = [&](std::int64_t number) {
    const auto found = service.versions.find(number);
    return found != service.versions.end() && found->second.model != nullptr;
  };
  auto labels = policy.labels;
  for (auto& [label, number] : labels) {
    const auto before = service.labels.find(label);
    if (before != service.labels.end() && !answers(number) && answers(before->second)) {
      number = before->second;
    } else if (label == kDefaultLabel && !answers(number) && answers(unnamed)) {
      number = unnamed;
    }
  }
  return labels;
}

}  // namespace

std::string ModelServer::UnloadedBefore(std::string_view name) {
  return "service '" + std::string(name) + "' was unloaded before it was loaded";
}

BatchLimits ModelServer::FittingLimits(BatchLimits limits, const LoadedModel& model) {
  limits.max_batch = std::min(limits.max_batch, model.definition.batching.max_batch);
  return limits;
}

void ModelServer::AddService(const RepositoryEntry& entry) {
  const std::string& name = entry.definition.name;
  ServedService service;
  service.info = MakeServiceInfo(entry, entry.definition.batching, entry.state, entry.reason);
  service.outcomes = OutcomesOf(name);
  if (entry.state != ServiceState::kLoading) {
    spdlog::warn("service '{}' is not served ({}): {}", name, ServiceStateName(entry.state),
                 entry.reason);
  }
  upkeep_[name];
  Publish(name, std::move(service));
}

// How it ended, for whoever asked. `replaced`: what served until now, to be let go.
Status ModelServer::LoadService(const Job& job, Leases& replaced) {
  {
    MutexLock lock(admin_mutex_);
    if (upkeep_.find(job.service) == upkeep_.end()) {
      return Status::Cancelled("the folder of service '" + job.service + "' is gone");
    }
  }
  LoadRun run{job, job.service};
  run.stamp = StampOfService(root_ / run.name);
  {
    MutexLock lock(admin_mutex_);
    watch_.Acted(run.name, run.stamp);
  }
  run.entry = ReadRepositoryEntry(root_ / run.name);
  if (run.entry.definition.is_pipeline()) {
    run.entry.state = ServiceState::kFailed;
    run.entry.reason = run.name +
                       "/model.toml: a new service of several stages (backend = \"pipeline\") "
                       "needs a restart of the server";
  }
  if (run.entry.state != ServiceState::kLoading) {
    const Status failed = FailService(run);
    replaced = std::move(run.replaced);
    return failed;
  }
  LoadVersions(run);
  replaced = std::move(run.replaced);
  if (run.over) return run.end;
  return run.failed.empty() ? Status::Ok() : run.failed.rbegin()->second;
}

void ModelServer::LoadVersions(LoadRun& run) {
  const ModelDefinition& definition = run.entry.definition;
  const VersionPlan plan = PlanVersions(definition.versions, Numbers(run.entry));
  for (const std::int64_t number : plan.missing) {
    PublishFailed(run, number, {},
                  Status::NotFound(definition.name + "/model.toml wants version " +
                                   std::to_string(number) + ", but there is no " + definition.name +
                                   "/" + std::to_string(number) + "/" + definition.file));
  }
  for (const std::int64_t number : plan.must) (void)LoadVersion(run, number, run.job.forced);
  std::size_t newest = 0;
  std::size_t ready = 0;
  for (const std::int64_t number : plan.newest) {
    if (ready == plan.count || run.over) break;
    const bool fallback = newest++ >= plan.count;
    const bool have = run.served.count(number) != 0;
    if (have ||
        (run.failed.count(number) == 0 && LoadVersion(run, number, run.job.forced && !fallback))) {
      ++ready;
    }
  }
  if (run.over) return;
  const auto failed = [&](std::int64_t number) { return run.failed.count(number) != 0; };
  const bool complete = plan.missing.empty() &&
                        std::none_of(plan.must.begin(), plan.must.end(), failed) &&
                        ready >= std::min(plan.count, plan.newest.size());
  FinishLoad(run, complete);
}

// Whether the version answers when this returns.
bool ModelServer::LoadVersion(LoadRun& run, std::int64_t number, bool forced) {
  if (run.over) return false;
  const VersionStamp stamp{run.stamp.definition, run.stamp.versions[number]};
  if (KeepVersion(run, number, stamp, forced)) return run.served.count(number) != 0;
  const RepositoryEntry entry = run.entry.Of(number);
  const TimePoint start = clock_.Now();
  Result<WarmModel> warm = MakeWarm(entry);
  if (stopping_.load()) {
    run.over = true;
    run.end = Status::Cancelled(kShuttingDown);
    return false;
  }
  CountLoad(run.name, warm.status().code());
  if (!warm.ok()) {
    PublishFailed(run, number, stamp, warm.status());
    return false;
  }
  spdlog::info("service '{}' version {} is warm after {:.1f} s; slowest batches: {}", run.name,
               number, ToMilliseconds(clock_.Now() - start) / 1000, ProfileText(warm->profile));
  BatchLimits limits;
  std::shared_ptr<ModelLease> lease = OpenQueue(entry, *std::move(warm), limits);
  PublishLoaded(run, entry, stamp, std::move(lease), limits);
  return !run.over;
}

// Whether there is nothing to load: the version answers with these very files, or they have failed
// before, other than for want of memory. An operator's load tries all the same. Else tells that it
// is loading.
bool ModelServer::KeepVersion(LoadRun& run, std::int64_t number, const VersionStamp& stamp,
                              bool forced) {
  MutexLock lock(admin_mutex_);
  Upkeep& upkeep = upkeep_.find(run.name)->second;
  if (Overtaken(run, upkeep)) return true;
  const auto kept = upkeep.versions.find(number);
  if (!forced && kept != upkeep.versions.end() && kept->second.stamp == stamp) {
    run.served.insert(number);
    return true;
  }
  const auto failure = upkeep.failures.find(number);
  const bool known = failure != upkeep.failures.end() && failure->second.stamp == stamp;
  // What was lacking then, memory most likely, may be there now.
  if (known && !run.job.forced && failure->second.status.code() != StatusCode::kUnavailable) {
    run.failed[number] = failure->second.status;
    return true;
  }
  ServedService service = services()->find(run.name)->second;
  ServedVersion& version = service.versions[number];
  if (version.model == nullptr) {
    const RepositoryEntry entry = run.entry.Of(number);
    version.info = MakeServiceInfo(entry, entry.definition.batching, ServiceState::kLoading, "");
    Publish(run.name, std::move(service));
  }
  return false;
}

// The room comes first: it is told at once, and files are read for seconds.
Result<WarmModel> ModelServer::MakeWarm(const RepositoryEntry& entry) {
  const Result<MemoryReservations::Held> room = ReserveRoom(entry);
  if (!room.ok()) return room.status();
  if (Status status = CheckVersionFiles(entry); !status.ok()) return status;
  const std::vector<ServiceInfoPtr> all = List();
  const bool some_ready = std::any_of(all.begin(), all.end(), [](const ServiceInfoPtr& info) {
    return info->state == ServiceState::kReady;
  });
  return LoadModel(entry, devices_, clock_, some_ready);
}

// Null for what has no weights.
Result<MemoryReservations::Held> ModelServer::ReserveRoom(const RepositoryEntry& entry) {
  if (entry.weights.empty()) return MemoryReservations::Held();
  MemoryLanes lanes;
  for (const std::unique_ptr<Device>& device : devices_) {
    lanes.lanes += device->lane_count();
    lanes.slots += device->lane_count() * device->depth();
  }
  const ModelDefinition& definition = entry.definition;
  if (definition.reference_backend() == "openvino") lanes.weight_copies = lanes.lanes;
  const MemoryNeed need = EstimateMemory(BytesToLoad(entry.weights.parent_path()),
                                         definition.item_values() * sizeof(float),
                                         definition.batching.max_batch, lanes);
  return memory_.Reserve(definition.name + "/" + entry.version, need, repository_.memory_limit_mb);
}

// `limits`: those that the queue was opened with; they may have been changed when it is published.
std::shared_ptr<ModelLease> ModelServer::OpenQueue(const RepositoryEntry& entry, WarmModel warm,
                                                   BatchLimits& limits) {
  const std::string& name = entry.definition.name;
  {
    MutexLock lock(admin_mutex_);
    limits = LimitsFor(entry.definition);
  }
  warm.model->statistics = std::make_shared<ModelStatisticsRecorder>(
      metrics_, name, entry.version, entry.definition.batching.max_batch);
  auto lease = std::make_shared<ModelLease>(std::move(warm.model));
  // Without the lock: the scheduler may read a kept profile from disk here.
  lease->SetId(scheduler_.AddModel(name, entry.version, limits, warm.profile));
  return lease;
}

// What an operator changed live holds on while model.toml says what it said before.
BatchLimits ModelServer::LimitsFor(const ModelDefinition& definition) const {
  const std::optional<BatchingControl>& kept = upkeep_.find(definition.name)->second.batching;
  const bool same = kept && kept->declared() == definition.batching;
  return same ? kept->limits() : definition.batching;
}

// True, and the run is over, when an unload came after the load was asked for.
bool ModelServer::Overtaken(LoadRun& run, const Upkeep& upkeep) const {
  if (upkeep.unloads == run.job.unloads) return false;
  run.over = true;
  run.end = Status::Cancelled(UnloadedBefore(run.name));
  return true;
}

// Puts the loaded version in place of what serves under its number, which is let go.
void ModelServer::PublishLoaded(LoadRun& run, const RepositoryEntry& entry,
                                const VersionStamp& stamp, std::shared_ptr<ModelLease> lease,
                                const BatchLimits& limits) {
  const std::int64_t number = VersionNumber(entry.version);
  {
    MutexLock lock(admin_mutex_);
    Upkeep& upkeep = upkeep_.find(run.name)->second;
    if (!Overtaken(run, upkeep)) {
      const BatchLimits current = LimitsFor(entry.definition);
      if (current != limits) scheduler_.SetLimits(lease->id(), current);
      if (!upkeep.batching || upkeep.batching->declared() != entry.definition.batching) {
        upkeep.batching.emplace(entry.definition.batching, clock_.WallNow());
      }
      ServedService service = services()->find(run.name)->second;
      const std::int64_t unnamed = DefaultVersion(service);
      std::shared_ptr<const LoadedModel> model = lease->Share();
      ServiceInfoPtr info =
          WithBackend(*MakeServiceInfo(entry, current, ServiceState::kReady, ""), model->backend);
      service.versions[number] = {std::move(info), std::move(model),
                                  std::make_shared<std::atomic<std::size_t>>(0)};
      service.labels = MovedLabels(service, entry.definition.versions, unnamed);
      Kept& kept = upkeep.versions[number];
      if (kept.lease != nullptr) run.replaced.push_back(std::move(kept.lease));
      kept = {std::move(lease), stamp};
      upkeep.failures.erase(number);
      run.served.insert(number);
      Publish(run.name, std::move(service));
    }
  }
  if (run.over) {
    spdlog::info("service '{}' was unloaded while it was being loaded", run.name);
    scheduler_.RemoveModel(lease->id());
    return;
  }
  spdlog::info("service '{}' version {} is ready", run.name, number);
}

void ModelServer::PublishFailed(LoadRun& run, std::int64_t number, const VersionStamp& stamp,
                                const Status& status) {
  spdlog::error("service '{}' version {} failed to load: {}", run.name, number, status.message());
  MutexLock lock(admin_mutex_);
  Upkeep& upkeep = upkeep_.find(run.name)->second;
  if (Overtaken(run, upkeep)) return;
  run.failed[number] = status;
  upkeep.failures[number] = {status, stamp};
  ServedService service = services()->find(run.name)->second;
  ServedVersion& version = service.versions[number];
  if (version.model != nullptr) {
    version.info = WithState(*version.info, ServiceState::kReady,
                             "goes on answering; its last load failed: " + status.message());
  } else {
    auto info = std::make_shared<ServiceInfo>(*MakeServiceInfo(
        run.entry, run.entry.definition.batching,
        status.code() == StatusCode::kNotFound ? ServiceState::kNoWeights : ServiceState::kFailed,
        status.message()));
    info->version = std::to_string(number);
    version.info = std::move(info);
  }
  Publish(run.name, std::move(service));
}

// `complete`: all that is wanted answers, so what is no longer wanted is taken out.
void ModelServer::FinishLoad(LoadRun& run, bool complete) {
  MutexLock lock(admin_mutex_);
  Upkeep& upkeep = upkeep_.find(run.name)->second;
  if (Overtaken(run, upkeep)) return;
  ServedService service = services()->find(run.name)->second;
  const std::int64_t unnamed = DefaultVersion(service);
  for (auto version = service.versions.begin(); version != service.versions.end();) {
    const std::int64_t number = version->first;
    const bool wanted = run.served.count(number) != 0 || run.failed.count(number) != 0;
    if (wanted || (!complete && version->second.model != nullptr)) {
      ++version;
      continue;
    }
    if (const auto kept = upkeep.versions.find(number); kept != upkeep.versions.end()) {
      run.replaced.push_back(std::move(kept->second.lease));
      upkeep.versions.erase(kept);
    }
    SetReadyGauge(run.name, std::to_string(number), false);
    version = service.versions.erase(version);
  }
  service.labels = MovedLabels(service, run.entry.definition.versions, unnamed);
  std::erase_if(upkeep.failures, [&](const auto& one) {  // no longer wanted: not to be tried again
    return one.second.status.code() == StatusCode::kUnavailable && run.failed.count(one.first) == 0;
  });
  const std::string why =
      run.served.empty() && run.failed.empty() ? "[versions] names no version" : Joined(run.failed);
  service.trouble = run.failed.empty() ? "" : GoesOn(service, why);
  if (upkeep.versions.empty()) {
    const bool missing = !run.failed.empty() &&
                         std::all_of(run.failed.begin(), run.failed.end(), [](const auto& one) {
                           return one.second.code() == StatusCode::kNotFound;
                         });
    service.info = MakeServiceInfo(run.entry, run.entry.definition.batching,
                                   missing ? ServiceState::kNoWeights : ServiceState::kFailed, why);
  }
  Publish(run.name, std::move(service));
}

// The folder as a whole gives nothing to load. What serves goes on, but for versions that the
// folder no longer has: a poll takes those out.
Status ModelServer::FailService(LoadRun& run) {
  const RepositoryEntry& entry = run.entry;
  spdlog::error("service '{}' failed to load: {}", run.name, entry.reason);
  CountLoad(run.name, StatusCode::kInvalidArgument);
  MutexLock lock(admin_mutex_);
  Upkeep& upkeep = upkeep_.find(run.name)->second;
  if (Overtaken(run, upkeep)) return run.end;
  ServedService service = services()->find(run.name)->second;
  upkeep.failures.clear();  // nothing to try again before the folder changes
  const bool emptied = entry.state == ServiceState::kNoWeights && !run.job.forced;
  if (emptied) {
    for (auto& [number, kept] : upkeep.versions) {
      SetReadyGauge(run.name, std::to_string(number), false);
      run.replaced.push_back(std::move(kept.lease));
    }
    upkeep.versions.clear();
    service.versions.clear();
  }
  if (upkeep.versions.empty()) {
    service.info = MakeServiceInfo(entry, entry.definition.batching, entry.state, entry.reason);
    service.trouble.clear();
  } else {
    service.trouble = GoesOn(service, entry.reason);
  }
  Publish(run.name, std::move(service));
  return entry.state == ServiceState::kFailed ? Status::InvalidArgument(entry.reason)
                                              : Status::Unavailable(entry.reason);
}

std::shared_ptr<const Outcomes> ModelServer::OutcomesOf(const std::string& name) {
  auto outcomes = std::make_shared<Outcomes>();
  for (std::size_t code = 0; code < outcomes->size(); ++code) {
    const std::string_view word = StatusCodeName(static_cast<StatusCode>(code));
    (*outcomes)[code] =
        &metrics_.GetCounter("xcloud_inference_total", "Photos asked about, by how it ended.",
                             {{"model", name}, {"outcome", std::string(word)}});
  }
  return outcomes;
}

void ModelServer::CountLoad(const std::string& name, StatusCode code) const {
  metrics_
      .GetCounter("xcloud_model_loads_total", "Versions loaded, by how it ended.",
                  {{"model", name}, {"outcome", std::string(StatusCodeName(code))}})
      .Add();
}

void ModelServer::SetReadyGauge(const std::string& name, const std::string& version,
                                bool ready) const {
  if (version.empty()) {
    metrics_.GetGauge("xcloud_service_ready", "1 when the service answers.", {{"model", name}})
        .Set(ready ? 1 : 0);
    return;
  }
  metrics_
      .GetGauge("xcloud_model_version_ready", "1 when the version answers.",
                {{"model", name}, {"version", version}})
      .Set(ready ? 1 : 0);
}

void ModelServer::Publish(const std::string& name, ServedService service) {
  Refresh(service);
  SetReadyGauge(name, "", service.info->state == ServiceState::kReady);
  for (const auto& [number, version] : service.versions) {
    SetReadyGauge(name, std::to_string(number), version.model != nullptr);
  }
  auto updated = std::make_shared<ServiceMap>(*services());
  (*updated)[name] = std::move(service);
  SwapServices(std::move(updated));
}

void ModelServer::SwapServices(std::shared_ptr<const ServiceMap> next) {
  // The old map dies after the lock: a reader never waits for that either.
  MutexLock lock(services_mutex_);
  services_.swap(next);
}

}  // namespace xcloud
