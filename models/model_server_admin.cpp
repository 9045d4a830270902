// The half of ModelServer that operators ask: load, unload, batching knobs, readiness, statistics.
#include <algorithm>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "models/model_server.h"
#include "models/service_info.h"

namespace xcloud {
namespace {

ServiceInfoPtr WithLimits(const ServiceInfo& old, const BatchLimits& limits) {
  auto info = std::make_shared<ServiceInfo>(old);
  TakeLimits(limits, *info);
  return info;
}

void Tell(const std::vector<StatusCallback>& callbacks, const Status& status) {
  for (const StatusCallback& callback : callbacks) callback(status);
}

void AppendName(std::string& names, const std::string& name) {
  names += (names.empty() ? "" : ", ") + name;
}

Status SomeDeviceIsWell(const std::vector<DeviceHealth>& devices) {
  std::string faulty;
  for (const DeviceHealth& device : devices) {
    if (device.state == DeviceState::kReady) return Status::Ok();
    AppendName(faulty, device.name + " is " + std::string(DeviceStateName(device.state)) +
                           (device.reason.empty() ? "" : " (" + device.reason + ")"));
  }
  if (faulty.empty()) return Status::Ok();  // a scheduler without devices has none that is ill
  return Status::Unavailable("no device is usable: " + faulty);
}

}  // namespace

Status ModelServer::Ready() const {
  if (stopping_.load()) return Status::Unavailable(kShuttingDown);
  bool any_ready = false;
  std::map<ServiceState, std::string> names;
  for (const ServiceInfoPtr& info : List()) {
    AppendName(names[info->state], info->name);
    any_ready = any_ready || info->state == ServiceState::kReady;
  }
  {
    MutexLock lock(state_mutex_);
    if (const std::string& loading = names[ServiceState::kLoading]; !loaded_ && !loading.empty()) {
      return Status::Unavailable("loading: " + loading);
    }
  }
  std::string missing;
  for (const auto& [state, words] : {std::pair{ServiceState::kFailed, "; failed to load: "},
                                     {ServiceState::kLoading, "; loading: "},
                                     {ServiceState::kUnloaded, "; unloaded: "}}) {
    if (!names[state].empty()) missing += words + names[state];
  }
  if (!any_ready && !missing.empty()) {
    return Status::Unavailable("no service is ready" + missing);
  }
  return SomeDeviceIsWell(scheduler_.Devices());
}

Result<BatchingView> ModelServer::Batching(std::string_view name) const {
  MutexLock lock(admin_mutex_);
  const std::shared_ptr<const ServiceMap> map = services();
  const auto found = FindUsable(name, "", FindService(*map, name));
  if (!found.ok()) return found.status();
  return upkeep_.find(name)->second.batching->View();
}

Result<BatchingView> ModelServer::ChangeBatching(std::string_view name,
                                                 const BatchingPatch& patch) {
  MutexLock lock(admin_mutex_);
  const std::shared_ptr<const ServiceMap> map = services();
  const ServedService* const found = FindService(*map, name);
  const auto usable = FindUsable(name, "", found);
  if (!usable.ok()) return usable.status();
  BatchingControl& control = *upkeep_.find(name)->second.batching;
  const BatchLimits before = control.limits();
  if (Status status = control.Apply(patch, clock_.WallNow()); !status.ok()) return status;
  const BatchLimits& after = control.limits();
  if (after != before) {
    ServedService service = *found;
    for (auto& [number, version] : service.versions) {
      if (version.model == nullptr) continue;
      const BatchLimits fitting = FittingLimits(after, *version.model);
      scheduler_.SetLimits(version.model->id, fitting);
      version.info = WithLimits(*version.info, fitting);
    }
    Publish(std::string(name), std::move(service));
    spdlog::info("service '{}': batching version {}: {}", name, control.View().current.version,
                 DescribeChange(before, after));
  }
  return control.View();
}

Result<ModelStatistics> ModelServer::Statistics(std::string_view name,
                                                std::string_view version) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const auto found = FindUsable(name, version, FindService(*map, name));
  if (!found.ok()) return found.status();
  return (*found)->model->statistics->Snapshot();
}

// A model is made ready on every device; one that is not well would fail that, or hold up the
// loader for as long as it hangs. Empty: all are well.
std::string ModelServer::SickDevice() const {
  for (const DeviceHealth& device : scheduler_.Devices()) {
    if (device.state != DeviceState::kReady) return device.name;
  }
  return "";
}

Status ModelServer::Load(std::string_view name, StatusCallback done) {
  if (repository_.control == "poll") return Status::Unavailable(kPolledOnly);
  MutexLock lock(admin_mutex_);
  return BeginLoad(name, std::move(done));
}

Status ModelServer::BeginLoad(std::string_view name, StatusCallback done) {
  auto upkeep = upkeep_.find(name);
  const bool known = upkeep != upkeep_.end();
  std::error_code ignored;
  if (!known && !(IsModelName(name) && std::filesystem::is_directory(root_ / name, ignored))) {
    return Status::NotFound("no service named '" + std::string(name) + "'");
  }
  if (const std::string sick = SickDevice(); !sick.empty()) {
    return Status::Unavailable("device " + sick + " is in quarantine: load again when it is well");
  }
  if (!known) {
    RepositoryEntry entry;  // what its folder says is read by the loader
    entry.definition.name = entry.definition.title = name;
    AddService(entry);
    upkeep = upkeep_.find(name);
  }
  Job job;
  job.service = name;
  job.forced = true;
  job.unloads = upkeep->second.unloads;
  if (done != nullptr) job.done.push_back(std::move(done));
  std::vector<StatusCallback> nobody;  // a load overtakes none
  if (!Enqueue(std::move(job), nobody)) return Status::Unavailable(kShuttingDown);
  upkeep->second.held = false;
  ServedService service = services()->find(name)->second;
  if (service.info->state != ServiceState::kReady) {
    service.info = WithState(*service.info, ServiceState::kLoading, "");
    Publish(std::string(name), std::move(service));
  }
  spdlog::info("service '{}': an operator asked for a load", name);
  return Status::Ok();
}

Status ModelServer::Unload(std::string_view name, StatusCallback done) {
  if (repository_.control == "poll") return Status::Unavailable(kPolledOnly);
  std::vector<StatusCallback> overtaken;
  const Status begun = BeginUnload(name, std::move(done), overtaken);
  Tell(overtaken, Status::Cancelled(UnloadedBefore(name)));
  return begun;
}

Status ModelServer::BeginUnload(std::string_view name, StatusCallback done,
                                std::vector<StatusCallback>& overtaken) {
  constexpr const char* kWhy = "unloaded by an operator";
  MutexLock lock(admin_mutex_);
  const auto upkeep = upkeep_.find(name);
  if (upkeep == upkeep_.end()) {
    return Status::NotFound("no service named '" + std::string(name) + "'");
  }
  ServedService service = services()->find(name)->second;
  if (upkeep->second.versions.empty() && service.info->state != ServiceState::kLoading) {
    return Status::Unavailable("service '" + std::string(name) + "' is not loaded");
  }
  Job job;
  job.kind = Job::Kind::kRelease;
  job.service = name;
  for (const auto& [number, kept] : upkeep->second.versions) job.retired.push_back(kept.lease);
  if (done != nullptr) job.done.push_back(std::move(done));
  if (!Enqueue(std::move(job), overtaken)) return Status::Unavailable(kShuttingDown);
  upkeep->second.versions.clear();
  upkeep->second.failures.clear();
  ++upkeep->second.unloads;
  upkeep->second.held = true;
  for (auto& [number, version] : service.versions) {
    version = {WithState(*version.info, ServiceState::kUnloaded, kWhy), nullptr, nullptr};
  }
  service.info = WithState(*service.info, ServiceState::kUnloaded, kWhy);
  service.trouble.clear();
  Publish(std::string(name), std::move(service));
  spdlog::info("service '{}': unloaded by an operator", name);
  return Status::Ok();
}

}  // namespace xcloud
