// The half of ModelServer that changes what is served: loading, unloading, batching knobs.
#include <algorithm>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "models/load_model.h"
#include "models/model_server.h"
#include "models/release_memory.h"
#include "models/service_info.h"

namespace xcloud {
namespace {

// The same service in another state.
ServiceInfoPtr WithState(const ServiceInfo& old, ServiceState state, std::string reason) {
  auto info = std::make_shared<ServiceInfo>(old);
  info->state = state;
  info->reason = std::move(reason);
  return info;
}

ServiceInfoPtr WithLimits(const ServiceInfo& old, const BatchLimits& limits) {
  auto info = std::make_shared<ServiceInfo>(old);
  TakeLimits(limits, *info);
  return info;
}

std::string ProfileText(const std::vector<ProfilePoint>& profile) {
  std::string text;
  for (const ProfilePoint& point : profile) {
    text += fmt::format("{}{} {}: {:.1f} ms", text.empty() ? "" : ", ", point.device, point.items,
                        ToMilliseconds(point.elapsed));
  }
  return text;
}

void Tell(const std::vector<StatusCallback>& callbacks, const Status& status) {
  for (const StatusCallback& callback : callbacks) callback(status);
}

Status Overtaken(const std::string& name) {
  return Status::Cancelled("service '" + name + "' was unloaded before it was loaded");
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

void ModelServer::AddService(const RepositoryEntry& entry) {
  const std::string& name = entry.definition.name;
  Service service;
  service.info = MakeServiceInfo(entry, entry.definition.batching, entry.state, entry.reason);
  service.outcomes = OutcomesOf(name);
  if (entry.state != ServiceState::kLoading) {
    spdlog::warn("service '{}' is not served ({}): {}", name, ServiceStateName(entry.state),
                 entry.reason);
  }
  MutexLock lock(admin_mutex_);
  upkeep_[name];
  Publish(name, std::move(service));
}

void ModelServer::StartLoading() {
  XC_CHECK(!loader_.joinable());
  for (const ServiceInfoPtr& info : List()) {
    if (info->state != ServiceState::kLoading) continue;
    Job job;
    job.service = info->name;
    job.load = job.first = true;
    std::vector<StatusCallback> nobody;
    (void)Enqueue(std::move(job), nobody);
  }
  {
    MutexLock lock(state_mutex_);
    loaded_ = first_loads_ == 0;
  }
  loader_ = std::thread([this] { RunJobs(); });
}

void ModelServer::WaitLoaded() {
  MutexLock lock(state_mutex_);
  while (!loaded_ && !closed_) state_changed_.Wait(state_mutex_);
}

void ModelServer::RunJobs() {
  while (std::optional<Job> job = NextJob()) {
    if (!job->load) {
      // The load that was stopped has ended and was not published, since this came behind it.
      if (job->retired != nullptr) {
        Retire(job->service, std::move(job->retired));
      } else {
        ReleaseFreeMemory();
      }
      Tell(job->done, Status::Ok());
    } else {
      std::shared_ptr<ModelLease> replaced;
      Tell(job->done, LoadService(*job, replaced));
      // Told already: what was accepted for the old version may take a while.
      if (replaced != nullptr) Retire(job->service, std::move(replaced));
    }
    if (!job->first) continue;
    MutexLock lock(state_mutex_);
    EndFirstLoad();
  }
}

void ModelServer::EndFirstLoad() {
  if (--first_loads_ > 0) return;
  loaded_ = true;
  state_changed_.NotifyAll();
}

// Blocks for a job. After Stop no load starts, but what is retired is still let go; then none.
std::optional<ModelServer::Job> ModelServer::NextJob() {
  MutexLock lock(state_mutex_);
  while (true) {
    const bool closed = closed_;
    const auto next = std::find_if(jobs_.begin(), jobs_.end(), [closed](const Job& job) {
      return !closed || job.retired != nullptr;
    });
    if (next != jobs_.end()) {
      Job job = std::move(*next);
      jobs_.erase(next);
      return job;
    }
    if (closed_) return std::nullopt;
    state_changed_.Wait(state_mutex_);
  }
}

// What Stop leaves undone, after the loader has ended.
void ModelServer::DropJobs() {
  std::deque<Job> dropped;
  {
    MutexLock lock(state_mutex_);
    dropped.swap(jobs_);
  }
  for (const Job& job : dropped) Tell(job.done, Status::Cancelled(kShuttingDown));
}

// False once Stop was called. A second load of a service that waits is the same load; a
// retirement, or the stop of a load, takes the service's waiting load out, and gives whom to tell.
bool ModelServer::Enqueue(Job job, std::vector<StatusCallback>& overtaken) {
  MutexLock lock(state_mutex_);
  if (closed_) return false;
  const auto same = std::find_if(jobs_.begin(), jobs_.end(), [&job](const Job& other) {
    return other.load && other.service == job.service;
  });
  if (same != jobs_.end()) {
    std::vector<StatusCallback>& heirs = job.load ? same->done : overtaken;
    std::vector<StatusCallback>& told = job.load ? job.done : same->done;
    std::move(told.begin(), told.end(), std::back_inserter(heirs));
    if (job.load) return true;
    if (same->first) EndFirstLoad();
    jobs_.erase(same);
  }
  if (job.first) ++first_loads_;
  jobs_.push_back(std::move(job));
  state_changed_.NotifyAll();
  return true;
}

// How it ended, for whoever asked. `replaced`: what served until now, to be let go.
Status ModelServer::LoadService(const Job& job, std::shared_ptr<ModelLease>& replaced) {
  const std::string& name = job.service;
  const TimePoint start = clock_.Now();
  const RepositoryEntry entry = ReadRepositoryEntry(root_ / name);
  if (entry.state != ServiceState::kLoading) {
    const bool wrong = entry.state == ServiceState::kFailed;
    return PublishFailed(
        job, entry, entry.state,
        wrong ? Status::InvalidArgument(entry.reason) : Status::Unavailable(entry.reason));
  }
  Result<WarmModel> warm = LoadModel(entry, devices_, clock_);
  if (!warm.ok()) return PublishFailed(job, entry, ServiceState::kFailed, warm.status());
  if (stopping_.load()) return Status::Cancelled(kShuttingDown);
  BatchLimits limits;
  {
    MutexLock lock(admin_mutex_);
    limits = LimitsFor(entry.definition);
  }
  warm->model->statistics = std::make_shared<ModelStatisticsRecorder>(
      metrics_, name, entry.version, entry.definition.batching.max_batch);
  auto lease = std::make_shared<ModelLease>(std::move(warm->model));
  // Without the lock: the scheduler may read a kept profile from disk here.
  lease->SetId(scheduler_.AddModel(name, entry.version, limits, warm->profile));
  spdlog::info("service '{}' version {} is warm after {:.1f} s; slowest batches: {}", name,
               entry.version, ToMilliseconds(clock_.Now() - start) / 1000,
               ProfileText(warm->profile));
  return PublishLoaded(job, entry, std::move(lease), limits, replaced);
}

// What an operator changed live holds on while model.toml says what it said before.
BatchLimits ModelServer::LimitsFor(const ModelDefinition& definition) const {
  const std::optional<BatchingControl>& kept = upkeep_.find(definition.name)->second.batching;
  const bool same = kept && kept->declared() == definition.batching;
  return same ? kept->limits() : definition.batching;
}

// Puts the loaded model in place of what serves, which is `replaced`. `limits` are those that its
// queue was opened with: they may have been changed since.
Status ModelServer::PublishLoaded(const Job& job, const RepositoryEntry& entry,
                                  std::shared_ptr<ModelLease> lease, const BatchLimits& limits,
                                  std::shared_ptr<ModelLease>& replaced) {
  const std::string& name = job.service;
  bool wanted = false;
  {
    MutexLock lock(admin_mutex_);
    Upkeep& upkeep = upkeep_.find(name)->second;
    wanted = upkeep.unloads == job.unloads;
    if (wanted) {
      const BatchLimits current = LimitsFor(entry.definition);
      if (current != limits) scheduler_.SetLimits(lease->id(), current);
      if (!upkeep.batching || upkeep.batching->declared() != entry.definition.batching) {
        upkeep.batching.emplace(entry.definition.batching, clock_.WallNow());
      }
      Service service = services()->find(name)->second;
      service.info = MakeServiceInfo(entry, current, ServiceState::kReady, "");
      service.model = lease->Share();
      service.upstream = std::make_shared<std::atomic<std::size_t>>(0);
      Publish(name, std::move(service));
      replaced = std::exchange(upkeep.lease, std::move(lease));
    }
  }
  if (!wanted) {
    spdlog::info("service '{}' was unloaded while it was being loaded", name);
    scheduler_.RemoveModel(lease->id());
    return Overtaken(name);
  }
  spdlog::info("service '{}' version {} is ready", name, entry.version);
  return Status::Ok();
}

Status ModelServer::PublishFailed(const Job& job, const RepositoryEntry& entry, ServiceState state,
                                  const Status& status) {
  const std::string& name = job.service;
  const std::string& why = status.message();
  spdlog::error("service '{}' failed to load: {}", name, why);
  MutexLock lock(admin_mutex_);
  if (upkeep_.find(name)->second.unloads != job.unloads) return Overtaken(name);
  Service service = services()->find(name)->second;
  if (service.model != nullptr) {
    service.info = WithState(
        *service.info, ServiceState::kReady,
        "version " + service.info->version + " goes on answering; the last load failed: " + why);
  } else {
    service.info = MakeServiceInfo(entry, entry.definition.batching, state, why);
  }
  Publish(name, std::move(service));
  return status;
}

// Waits until what was accepted for the model is answered, then removes its queue and frees it.
void ModelServer::Retire(const std::string& name, std::shared_ptr<ModelLease> lease) {
  {
    MutexLock lock(state_mutex_);
    retiring_ = lease;
    if (closed_) lease->Interrupt();
  }
  const bool unused = lease->WaitUnused(clock_, clock_.Now() + kDrainLimit);
  {
    MutexLock lock(state_mutex_);
    retiring_ = nullptr;
  }
  scheduler_.RemoveModel(lease->id());
  lease = nullptr;
  ReleaseFreeMemory();
  if (unused) {
    spdlog::info("service '{}': the model that was taken out is released", name);
  } else {
    spdlog::warn("service '{}': the model that was taken out still had requests; refusing them",
                 name);
  }
}

std::shared_ptr<const ModelServer::Outcomes> ModelServer::OutcomesOf(const std::string& name) {
  auto outcomes = std::make_shared<Outcomes>();
  for (std::size_t code = 0; code < outcomes->size(); ++code) {
    const std::string_view word = StatusCodeName(static_cast<StatusCode>(code));
    (*outcomes)[code] =
        &metrics_.GetCounter("xcloud_inference_total", "Photos asked about, by how it ended.",
                             {{"model", name}, {"outcome", std::string(word)}});
  }
  return outcomes;
}

void ModelServer::Publish(const std::string& name, Service service) {
  metrics_.GetGauge("xcloud_service_ready", "1 when the service answers.", {{"model", name}})
      .Set(service.info->state == ServiceState::kReady ? 1 : 0);
  auto updated = std::make_shared<ServiceMap>(*services());
  (*updated)[name] = std::move(service);
  // The old map dies after the lock: a reader never waits for that either.
  std::shared_ptr<const ServiceMap> next = std::move(updated);
  MutexLock lock(services_mutex_);
  services_.swap(next);
}

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
  if (Status status = CheckUsable(name, FindIn(*map, name)); !status.ok()) return status;
  return upkeep_.find(name)->second.batching->View();
}

Result<BatchingView> ModelServer::ChangeBatching(std::string_view name,
                                                 const BatchingPatch& patch) {
  MutexLock lock(admin_mutex_);
  const std::shared_ptr<const ServiceMap> map = services();
  const Service* const found = FindIn(*map, name);
  if (Status status = CheckUsable(name, found); !status.ok()) return status;
  BatchingControl& control = *upkeep_.find(name)->second.batching;
  const BatchLimits before = control.limits();
  if (Status status = control.Apply(patch, clock_.WallNow()); !status.ok()) return status;
  const BatchLimits& after = control.limits();
  if (after != before) {
    scheduler_.SetLimits(found->model->id, after);
    Service service = *found;
    service.info = WithLimits(*service.info, after);
    Publish(std::string(name), std::move(service));
    spdlog::info("service '{}': batching version {}: {}", name, control.View().current.version,
                 DescribeChange(before, after));
  }
  return control.View();
}

Result<ModelStatistics> ModelServer::Statistics(std::string_view name) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const Service* const service = FindIn(*map, name);
  if (Status status = CheckUsable(name, service); !status.ok()) return status;
  return service->model->statistics->Snapshot();
}

Status ModelServer::Load(std::string_view name, StatusCallback done) {
  MutexLock lock(admin_mutex_);
  const auto upkeep = upkeep_.find(name);
  if (upkeep == upkeep_.end()) {
    return Status::NotFound("no service named '" + std::string(name) + "'");
  }
  // A model is made ready on every device; one that is not well would fail that, or hold up the
  // loader for as long as it hangs.
  for (const DeviceHealth& device : scheduler_.Devices()) {
    if (device.state == DeviceState::kReady) continue;
    return Status::Unavailable("device " + device.name + " is in quarantine: load again when it " +
                               "is well");
  }
  Job job;
  job.service = name;
  job.load = true;
  job.unloads = upkeep->second.unloads;
  if (done != nullptr) job.done.push_back(std::move(done));
  std::vector<StatusCallback> nobody;  // a load overtakes none
  if (!Enqueue(std::move(job), nobody)) return Status::Unavailable(kShuttingDown);
  Service service = services()->find(name)->second;
  if (service.info->state != ServiceState::kReady) {
    service.info = WithState(*service.info, ServiceState::kLoading, "");
    Publish(std::string(name), std::move(service));
  }
  spdlog::info("service '{}': an operator asked for a load", name);
  return Status::Ok();
}

Status ModelServer::Unload(std::string_view name, StatusCallback done) {
  std::vector<StatusCallback> overtaken;
  const Status begun = BeginUnload(name, std::move(done), overtaken);
  Tell(overtaken, Overtaken(std::string(name)));
  return begun;
}

Status ModelServer::BeginUnload(std::string_view name, StatusCallback done,
                                std::vector<StatusCallback>& overtaken) {
  MutexLock lock(admin_mutex_);
  const auto upkeep = upkeep_.find(name);
  if (upkeep == upkeep_.end()) {
    return Status::NotFound("no service named '" + std::string(name) + "'");
  }
  Service service = services()->find(name)->second;
  if (upkeep->second.lease == nullptr && service.info->state != ServiceState::kLoading) {
    return Status::Unavailable("service '" + std::string(name) + "' is not loaded");
  }
  Job job;
  job.service = name;
  job.retired = upkeep->second.lease;
  if (done != nullptr) job.done.push_back(std::move(done));
  if (!Enqueue(std::move(job), overtaken)) return Status::Unavailable(kShuttingDown);
  upkeep->second.lease = nullptr;
  ++upkeep->second.unloads;
  service.info = WithState(*service.info, ServiceState::kUnloaded, "unloaded by an operator");
  service.model = nullptr;
  service.upstream = nullptr;
  Publish(std::string(name), std::move(service));
  spdlog::info("service '{}': unloaded by an operator", name);
  return Status::Ok();
}

}  // namespace xcloud
