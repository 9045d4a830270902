// The loader thread of ModelServer: its jobs one after the other, and the folder that it looks at
// between them.
#include <algorithm>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "models/model_server.h"
#include "models/release_memory.h"

namespace xcloud {
namespace {

void Tell(const std::vector<StatusCallback>& callbacks, const Status& status) {
  for (const StatusCallback& callback : callbacks) callback(status);
}

}  // namespace

void ModelServer::ReleaseMemory() {
  ReleaseFreeMemory();
  for (const std::unique_ptr<Device>& device : devices_) device->ReleaseMemory();
}

void ModelServer::StartLoading() {
  XC_CHECK(!loader_.joinable());
  for (const ServiceInfoPtr& info : List()) {
    if (info->state != ServiceState::kLoading) continue;
    Job job;
    job.service = info->name;
    job.first = true;
    std::vector<StatusCallback> nobody;
    (void)Enqueue(std::move(job), nobody);
  }
  {
    MutexLock lock(state_mutex_);
    loaded_ = first_loads_ == 0;
    if (repository_.control != "explicit") {
      next_poll_ = clock_.Now() + FromMilliseconds(repository_.poll_interval_s * 1000);
    }
  }
  loader_ = std::thread([this] { RunJobs(); });
  for (std::size_t i = 1; i < FirstLoadsAtOnce(); ++i) {
    first_loaders_.emplace_back([this] { RunFirstLoads(); });
  }
}

// One for each lane of the host's devices, four at the most: the lanes' threads are the cores. A
// GPU takes one load after the other.
std::size_t ModelServer::FirstLoadsAtOnce() const {
  constexpr std::size_t kMost = 4;
  std::size_t lanes = 0;
  for (const std::unique_ptr<Device>& device : devices_) {
    if (!device->runs_on_host()) return 1;
    lanes += device->lane_count();
  }
  return std::min(kMost, lanes);
}

void ModelServer::WaitLoaded() {
  MutexLock lock(state_mutex_);
  while (!loaded_ && !closed_) state_changed_.Wait(state_mutex_);
}

void ModelServer::RunJobs() {
  while (std::optional<Job> job = NextJob()) {
    RunJob(*job);
    EndJob(*job);
  }
}

// Beside the loader, until no first load waits.
void ModelServer::RunFirstLoads() {
  while (std::optional<Job> job = NextFirstLoad()) {
    RunJob(*job);
    EndJob(*job);
  }
}

void ModelServer::EndJob(const Job& job) {
  MutexLock lock(state_mutex_);
  running_.erase(job.service);
  if (job.first) EndFirstLoad();
  state_changed_.NotifyAll();
}

void ModelServer::RunJob(Job& job) {
  if (job.kind == Job::Kind::kPoll) return Poll();
  if (job.kind == Job::Kind::kRelease) {
    // The load that was stopped has ended and was not published, since this came behind it.
    if (job.retired.empty()) ReleaseMemory();
    for (std::shared_ptr<ModelLease>& lease : job.retired) Retire(job.service, std::move(lease));
    return Tell(job.done, Status::Ok());
  }
  Leases replaced;
  Tell(job.done, LoadService(job, replaced));
  // Told already: what was accepted for the old version may take a while.
  for (std::shared_ptr<ModelLease>& lease : replaced) Retire(job.service, std::move(lease));
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
    const auto next = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
      return running_.count(job.service) == 0 && (!closed || !job.retired.empty());
    });
    if (next != jobs_.end()) return TakeJob(next);
    if (closed_ && running_.empty()) return std::nullopt;
    if (closed_) {  // a first load is still running: what waits for its end may have to be let go
      state_changed_.Wait(state_mutex_);
      continue;
    }
    if (loaded_ && clock_.Now() >= next_poll_) {
      Job look;
      look.kind = Job::Kind::kPoll;
      return look;
    }
    if (!loaded_ || next_poll_ == TimePoint::max()) {
      state_changed_.Wait(state_mutex_);
    } else {
      (void)clock_.WaitUntil(state_changed_, state_mutex_, next_poll_);
    }
  }
}

std::optional<ModelServer::Job> ModelServer::NextFirstLoad() {
  MutexLock lock(state_mutex_);
  const auto next =
      std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.first; });
  if (closed_ || next == jobs_.end()) return std::nullopt;
  return TakeJob(next);
}

ModelServer::Job ModelServer::TakeJob(std::deque<Job>::iterator place) {
  Job job = std::move(*place);
  jobs_.erase(place);
  running_.insert(job.service);
  return job;
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
    return other.kind == Job::Kind::kLoad && other.service == job.service;
  });
  if (same != jobs_.end()) {
    const bool load = job.kind == Job::Kind::kLoad;
    std::vector<StatusCallback>& heirs = load ? same->done : overtaken;
    std::vector<StatusCallback>& told = load ? job.done : same->done;
    std::move(told.begin(), told.end(), std::back_inserter(heirs));
    if (load) {
      same->forced = same->forced || job.forced;
      return true;
    }
    if (same->first) EndFirstLoad();
    jobs_.erase(same);
  }
  if (job.first) ++first_loads_;
  jobs_.push_back(std::move(job));
  state_changed_.NotifyAll();
  return true;
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
  ReleaseMemory();
  if (unused) {
    spdlog::info("service '{}': the model that was taken out is released", name);
  } else {
    spdlog::warn("service '{}': the model that was taken out still had requests; refusing them",
                 name);
  }
}

// One look at the folder. While a device is not well nothing could be loaded, and what is told
// counts as acted upon: so nothing is looked at.
void ModelServer::Poll() {
  if (SickDevice().empty()) {
    const Result<RepositoryWatch::Changes> changes = watch_.Look();
    if (!changes.ok() && !root_is_gone_) spdlog::error("{}", changes.status().message());
    root_is_gone_ = !changes.ok();
    if (changes.ok()) {
      for (const std::string& name : changes->removed) RemoveService(name);
      std::set<std::string> names = ShortOfRoom();
      names.insert(changes->changed.begin(), changes->changed.end());
      for (const std::string& name : names) LoadChanged(name);
    }
  }
  MutexLock lock(state_mutex_);
  next_poll_ = clock_.Now() + FromMilliseconds(repository_.poll_interval_s * 1000);
}

// Services with a version that failed because something, memory most likely, was not to be had.
std::set<std::string> ModelServer::ShortOfRoom() const {
  MutexLock lock(admin_mutex_);
  std::set<std::string> names;
  for (const auto& [name, upkeep] : upkeep_) {
    for (const auto& [number, failure] : upkeep.failures) {
      if (failure.status.code() == StatusCode::kUnavailable) names.insert(name);
    }
  }
  return names;
}

void ModelServer::LoadChanged(const std::string& name) {
  if (pipelines_.count(name) != 0) return;
  const RepositoryEntry entry = ReadRepositoryEntry(root_ / name);
  MutexLock lock(admin_mutex_);
  if (upkeep_.find(name) == upkeep_.end()) {
    spdlog::info("service '{}': its folder is new", name);
    AddService(entry);
  }
  const Upkeep& upkeep = upkeep_.find(name)->second;
  if (upkeep.held) return;
  Job job;
  job.service = name;
  job.unloads = upkeep.unloads;
  std::vector<StatusCallback> nobody;
  (void)Enqueue(std::move(job), nobody);
}

void ModelServer::RemoveService(const std::string& name) {
  Job release;
  release.kind = Job::Kind::kRelease;
  release.service = name;
  std::vector<StatusCallback> overtaken;
  {
    MutexLock lock(admin_mutex_);
    const auto upkeep = upkeep_.find(name);
    if (upkeep == upkeep_.end()) return;
    for (const auto& [number, kept] : upkeep->second.versions) {
      release.retired.push_back(kept.lease);
    }
    if (!Enqueue(std::move(release), overtaken)) return;
    upkeep_.erase(upkeep);
    auto updated = std::make_shared<ServiceMap>(*services());
    for (auto& [number, version] : (*updated)[name].versions) {
      version.model = nullptr;
      SetReadyGauge(name, std::to_string(number), false);
    }
    SetReadyGauge(name, "", false);
    updated->erase(name);
    SwapServices(std::move(updated));
  }
  Tell(overtaken, Status::Cancelled(UnloadedBefore(name)));
  spdlog::warn("service '{}': its folder is gone, and so is the service", name);
}

}  // namespace xcloud
