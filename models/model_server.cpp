#include "models/model_server.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/log.h"
#include "models/load_model.h"
#include "models/preprocess.h"

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetryAfterNoMemory{1000};

constexpr const char* kShuttingDown = "the server is shutting down";

DecodePoolOptions PoolOptions(const DecodeConfig& config) {
  DecodePoolOptions options;
  options.threads = config.threads > 0 ? static_cast<std::size_t>(config.threads)
                                       : std::max(1U, std::thread::hardware_concurrency() / 2);
  options.queue_capacity = static_cast<std::size_t>(config.queue_capacity);
  return options;
}

ServiceInfoPtr MakeInfo(const RepositoryEntry& entry, ServiceState state, std::string reason) {
  const ModelDefinition& definition = entry.definition;
  auto info = std::make_shared<ServiceInfo>();
  info->name = definition.name;
  info->route = "/cv/" + definition.name;
  info->title = definition.title;
  info->description = definition.description;
  info->source = definition.source;
  info->version = entry.version;
  info->backend = definition.backend;
  info->state = state;
  info->reason = std::move(reason);
  info->answer = definition.answer;
  info->label_count = definition.labels.size();
  info->max_batch = definition.batching.max_batch;
  info->latency_goal = definition.batching.latency_goal;
  info->synthetic = definition.synthetic();
  return info;
}

// OK while somebody still waits for the answer. `step` completes "before the photo was ...".
Status StillWanted(const PhotoRequest& photo, const Clock& clock, const char* step) {
  if (photo.Cancelled()) return Status::Cancelled("the caller closed the connection");
  if (photo.deadline.Expired(clock.Now())) {
    return Status::DeadlineExceeded("the deadline passed before the photo was " +
                                    std::string(step));
  }
  return Status::Ok();
}

std::string ProfileText(const std::vector<ProfilePoint>& profile) {
  std::string text;
  for (const ProfilePoint& point : profile) {
    text += fmt::format("{}{} {}: {:.1f} ms", text.empty() ? "" : ", ", point.device, point.items,
                        ToMilliseconds(point.elapsed));
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<ModelServer>> ModelServer::Create(
    const RepositoryConfig& repository, const DecodeConfig& decode,
    const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler,
    const Clock& clock, MetricsRegistry& metrics) {
  Result<std::vector<RepositoryEntry>> entries = ScanRepository(repository.path);
  if (!entries.ok()) return entries.status();
  return std::unique_ptr<ModelServer>(
      new ModelServer(*std::move(entries), decode, devices, scheduler, clock, metrics));
}

ModelServer::ModelServer(std::vector<RepositoryEntry> entries, const DecodeConfig& decode,
                         const std::vector<std::unique_ptr<Device>>& devices,
                         BatchScheduler& scheduler, const Clock& clock, MetricsRegistry& metrics)
    : devices_(devices),
      scheduler_(scheduler),
      clock_(clock),
      metrics_(metrics),
      entries_(std::move(entries)),
      limits_{decode.max_pixels, decode.max_side},
      services_(std::make_shared<ServiceMap>()),
      pool_(PoolOptions(decode), clock) {
  for (const RepositoryEntry& entry : entries_) {
    Publish(entry, entry.state, entry.reason, nullptr);
    if (entry.state == ServiceState::kLoading) continue;
    spdlog::warn("service '{}' is not served ({}): {}", entry.definition.name,
                 ServiceStateName(entry.state), entry.reason);
  }
}

ModelServer::~ModelServer() {
  Stop();
}

void ModelServer::StartLoading() {
  XC_CHECK(!loader_.joinable());
  loader_ = std::thread([this] { LoadAll(); });
}

void ModelServer::WaitLoaded() {
  MutexLock lock(state_mutex_);
  while (!loaded_ && !closed_) state_changed_.Wait(state_mutex_);
}

void ModelServer::Stop() {
  stopping_.store(true);  // first, so that photos that wait are refused instead of decoded
  {
    MutexLock lock(state_mutex_);
    if (closed_) return;
    closed_ = true;
    state_changed_.NotifyAll();
    while (in_decode_ > 0) state_changed_.Wait(state_mutex_);
  }
  if (loader_.joinable()) loader_.join();
  for (const auto& [name, service] : *services()) {
    if (service.model != nullptr) scheduler_.RemoveModel(service.model->id);
  }
}

void ModelServer::LoadAll() {
  for (const RepositoryEntry& entry : entries_) {
    if (stopping_.load()) break;
    if (entry.state == ServiceState::kLoading) LoadOne(entry);
  }
  MutexLock lock(state_mutex_);
  loaded_ = true;
  state_changed_.NotifyAll();
}

void ModelServer::LoadOne(const RepositoryEntry& entry) {
  const std::string& name = entry.definition.name;
  const TimePoint start = clock_.Now();
  Result<WarmModel> warm = LoadModel(entry, devices_, clock_);
  if (!warm.ok()) {
    spdlog::error("service '{}' failed to load: {}", name, warm.status().message());
    return Publish(entry, ServiceState::kFailed, warm.status().message(), nullptr);
  }
  if (stopping_.load()) return;
  std::shared_ptr<LoadedModel> model = std::move(warm->model);
  model->id = scheduler_.AddModel(name, entry.version, entry.definition.batching, warm->profile);
  Publish(entry, ServiceState::kReady, "", std::move(model));
  spdlog::info("service '{}' version {} is ready after {:.1f} s; slowest batches: {}", name,
               entry.version, ToMilliseconds(clock_.Now() - start) / 1000,
               ProfileText(warm->profile));
}

void ModelServer::Publish(const RepositoryEntry& entry, ServiceState state, std::string reason,
                          std::shared_ptr<const LoadedModel> model) {
  const std::string& name = entry.definition.name;
  metrics_.GetGauge("xcloud_service_ready", "1 when the service answers.", {{"model", name}})
      .Set(state == ServiceState::kReady ? 1 : 0);
  auto updated = std::make_shared<ServiceMap>(*services());
  Service& service = (*updated)[name];
  service.info = MakeInfo(entry, state, std::move(reason));
  service.model = std::move(model);
  if (service.outcomes == nullptr) {
    auto outcomes = std::make_shared<Outcomes>();
    for (std::size_t code = 0; code < outcomes->size(); ++code) {
      const std::string_view word = StatusCodeName(static_cast<StatusCode>(code));
      (*outcomes)[code] =
          &metrics_.GetCounter("xcloud_inference_total", "Photos asked about, by how it ended.",
                               {{"model", name}, {"outcome", std::string(word)}});
    }
    service.outcomes = std::move(outcomes);
  }
  // The old map dies after the lock: a reader never waits for that either.
  std::shared_ptr<const ServiceMap> next = std::move(updated);
  MutexLock lock(services_mutex_);
  services_.swap(next);
}

std::shared_ptr<const ModelServer::ServiceMap> ModelServer::services() const {
  MutexLock lock(services_mutex_);
  return services_;
}

std::vector<ServiceInfoPtr> ModelServer::List() const {
  std::vector<ServiceInfoPtr> list;
  for (const auto& [name, service] : *services()) list.push_back(service.info);
  return list;
}

ServiceInfoPtr ModelServer::Find(std::string_view name) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const auto found = map->find(name);
  return found == map->end() ? nullptr : found->second.info;
}

Status ModelServer::CheckUsable(std::string_view name, const Service* service) const {
  if (service == nullptr) return Status::NotFound("no service named '" + std::string(name) + "'");
  if (stopping_.load()) return Status::Unavailable(kShuttingDown);
  const ServiceInfo& info = *service->info;
  switch (info.state) {
    case ServiceState::kReady:
      return Status::Ok();
    case ServiceState::kLoading:
      return Status::Unavailable("service '" + info.name + "' is loading; try again soon");
    case ServiceState::kNoWeights:
    case ServiceState::kUnloaded:
    case ServiceState::kFailed:
      return Status::Unavailable("service '" + info.name + "' does not answer: " + info.reason);
  }
  return Status::Internal("service '" + info.name + "' is in no known state");
}

Status ModelServer::Admit(std::string_view name, Priority priority, Deadline deadline) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const auto found = map->find(name);
  const Service* service = found == map->end() ? nullptr : &found->second;
  if (Status status = CheckUsable(name, service); !status.ok()) return status;
  if (deadline.Expired(clock_.Now())) {
    return Status::DeadlineExceeded("the deadline has passed already");
  }
  if (Status status = pool_.Admit(); !status.ok()) return status;
  AdmitQuery query;
  query.priority = priority;
  query.deadline = deadline;
  return scheduler_.Admit(service->model->id, query);
}

void ModelServer::Infer(InferenceRequest request, InferenceCallback done) {
  const std::shared_ptr<const ServiceMap> map = services();
  const auto found = map->find(request.service);
  const Service* service = found == map->end() ? nullptr : &found->second;
  Status status = CheckUsable(request.service, service);
  if (status.ok() && !request.version.empty() && request.version != service->info->version) {
    status = Status::NotFound("service '" + request.service + "' has no version '" +
                              request.version + "'; it serves " + service->info->version);
  }
  // Whatever ends the request, it ends here: stamped and counted, then told. Holds nothing of
  // this server, since a lane may answer after it is gone.
  std::shared_ptr<const Outcomes> outcomes = service == nullptr ? nullptr : service->outcomes;
  InferenceCallback counted = [outcomes = std::move(outcomes), clock = &clock_,
                               done = std::move(done)](InferenceResult result) {
    result.stages.answered = clock->Now();
    if (outcomes != nullptr) {
      (*outcomes)[static_cast<std::size_t>(result.status.code())]->Add();
    }
    done(std::move(result));
  };
  if (!status.ok()) {
    InferenceResult refused;
    refused.status = std::move(status);
    refused.model = request.service;
    if (service != nullptr) refused.version = service->info->version;
    refused.stages.first_byte = request.first_byte;
    refused.stages.received = request.received;
    return counted(std::move(refused));
  }
  const Duration goal = service->info->latency_goal;
  if (!request.deadline.IsSet() && goal > Duration::zero()) {
    request.deadline = Deadline::After(request.first_byte, goal);
  }
  auto photo =
      std::make_unique<PhotoRequest>(service->model, std::move(request), std::move(counted));
  if (!BeginRequest()) return photo->RefuseAll(Status::Unavailable(kShuttingDown));
  // std::function must be copyable, so the one owner sits behind a shared pointer.
  auto owner = std::make_shared<std::unique_ptr<PhotoRequest>>(std::move(photo));
  const Status accepted = pool_.Submit([this, owner] {
    Decode(std::move(*owner));
    EndRequest();
  });
  if (!accepted.ok()) {
    (*owner)->RefuseAll(accepted);
    EndRequest();
  }
}

void ModelServer::Decode(std::unique_ptr<PhotoRequest> photo) {
  try {
    if (Status status = Prepare(*photo); !status.ok()) return photo->RefuseAll(std::move(status));
  } catch (const std::bad_alloc&) {
    return photo->RefuseAll(
        Status::Overloaded("there is no memory for this photo now", kRetryAfterNoMemory));
  }
  photo->stages().enqueued = clock_.Now();
  const ModelId model = photo->model().id;
  ScheduledRequestPtr scheduled = std::move(photo);
  Status queued = scheduler_.Submit(model, scheduled);
  if (!queued.ok()) scheduled->RefuseAll(std::move(queued));
}

Status ModelServer::Prepare(PhotoRequest& photo) const {
  const ModelDefinition& definition = photo.model().definition;
  photo.stages().decode_start = clock_.Now();
  if (stopping_.load()) return Status::Unavailable(kShuttingDown);
  if (Status status = StillWanted(photo, clock_, "decoded"); !status.ok()) return status;
  const int short_side = definition.reduced_decode ? ReducedShortSide(definition.preprocess) : 0;
  std::string& encoded = photo.request().image;
  Result<Image> image = DecodeImage(encoded, limits_, short_side);
  if (!image.ok()) return image.status();
  std::string().swap(encoded);  // not needed again, and up to the body limit large
  photo.SetDecoded(*std::move(image), devices_.front()->wants_decoded_images());
  photo.stages().decode_end = clock_.Now();
  return StillWanted(photo, clock_, "queued");
}

bool ModelServer::BeginRequest() {
  MutexLock lock(state_mutex_);
  if (closed_) return false;
  ++in_decode_;
  return true;
}

void ModelServer::EndRequest() {
  MutexLock lock(state_mutex_);
  --in_decode_;
  // Under the lock: after it, Stop may return and the server be gone.
  if (in_decode_ == 0) state_changed_.NotifyAll();
}

Status ModelServer::Ready() const {
  if (stopping_.load()) return Status::Unavailable(kShuttingDown);
  std::string loading;
  std::string failed;
  bool any_ready = false;
  for (const auto& [name, service] : *services()) {
    const ServiceState state = service.info->state;
    if (state == ServiceState::kLoading) loading += (loading.empty() ? "" : ", ") + name;
    if (state == ServiceState::kFailed) failed += (failed.empty() ? "" : ", ") + name;
    any_ready = any_ready || state == ServiceState::kReady;
  }
  if (!loading.empty()) return Status::Unavailable("loading: " + loading);
  if (!any_ready && !failed.empty()) {
    return Status::Unavailable("no service is ready; failed to load: " + failed);
  }
  return Status::Ok();
}

Result<BatchingView> ModelServer::Batching(std::string_view) const {
  return Status::Unsupported("not yet");
}
Result<BatchingView> ModelServer::ChangeBatching(std::string_view, const BatchingPatch&) {
  return Status::Unsupported("not yet");
}
Status ModelServer::Load(std::string_view) {
  return Status::Unsupported("not yet");
}
Status ModelServer::Unload(std::string_view) {
  return Status::Unsupported("not yet");
}

}  // namespace xcloud
