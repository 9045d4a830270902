#include "models/model_server.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/log.h"
#include "models/preprocess.h"
#include "models/still_wanted.h"

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetryAfterNoMemory{1000};

DecodePoolOptions PoolOptions(const DecodeConfig& config) {
  DecodePoolOptions options;
  options.threads = config.threads > 0 ? static_cast<std::size_t>(config.threads)
                                       : std::max(1U, std::thread::hardware_concurrency() / 2);
  options.queue_capacity = static_cast<std::size_t>(config.queue_capacity);
  return options;
}

}  // namespace

Result<std::unique_ptr<ModelServer>> ModelServer::Create(
    const RepositoryConfig& repository, const DecodeConfig& decode,
    const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler, Clock& clock,
    MetricsRegistry& metrics) {
  const Result<std::vector<RepositoryEntry>> entries = ScanRepository(repository.path);
  if (!entries.ok()) return entries.status();
  return std::unique_ptr<ModelServer>(
      new ModelServer(repository.path, *entries, decode, devices, scheduler, clock, metrics));
}

ModelServer::ModelServer(const std::filesystem::path& root,
                         const std::vector<RepositoryEntry>& entries, const DecodeConfig& decode,
                         const std::vector<std::unique_ptr<Device>>& devices,
                         BatchScheduler& scheduler, Clock& clock, MetricsRegistry& metrics)
    : devices_(devices),
      scheduler_(scheduler),
      clock_(clock),
      metrics_(metrics),
      root_(root),
      limits_{decode.max_pixels, decode.max_side},
      services_(std::make_shared<ServiceMap>()),
      pool_(PoolOptions(decode), clock) {
  for (const RepositoryEntry& entry : entries) AddService(entry);
}

ModelServer::~ModelServer() {
  Stop();
}

void ModelServer::Stop() {
  stopping_.store(true);  // first, so that photos that wait are refused instead of decoded
  {
    MutexLock lock(state_mutex_);
    if (closed_) return;
    closed_ = true;
    if (retiring_ != nullptr) retiring_->Interrupt();
    state_changed_.NotifyAll();
    while (in_decode_ > 0) state_changed_.Wait(state_mutex_);
  }
  if (loader_.joinable()) loader_.join();
  for (const auto& [name, service] : *services()) {
    if (service.model != nullptr) scheduler_.RemoveModel(service.model->id);
  }
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
  const Service* const service = FindIn(*map, name);
  return service == nullptr ? nullptr : service->info;
}

const ModelServer::Service* ModelServer::FindIn(const ServiceMap& map, std::string_view name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
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
  const Service* const service = FindIn(*map, name);
  if (Status status = CheckUsable(name, service); !status.ok()) return status;
  if (deadline.Expired(clock_.Now())) {
    return Status::DeadlineExceeded("the deadline has passed already");
  }
  if (Status status = pool_.Admit(); !status.ok()) return status;
  AdmitQuery query;
  query.priority = priority;
  query.deadline = deadline;
  query.upstream_items = service->upstream->load(std::memory_order_relaxed);
  query.upstream_delay = pool_.ExpectedDelay();
  return scheduler_.Admit(service->model->id, query);
}

void ModelServer::Infer(InferenceRequest request, InferenceCallback done) {
  const std::shared_ptr<const ServiceMap> map = services();
  const Service* const service = FindIn(*map, request.service);
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
  const std::shared_ptr<std::atomic<std::size_t>> upstream = service->upstream;
  upstream->fetch_add(1, std::memory_order_relaxed);
  const Status accepted = pool_.Submit([this, owner, upstream] {
    Decode(std::move(*owner));
    upstream->fetch_sub(1, std::memory_order_relaxed);
    EndRequest();
  });
  if (!accepted.ok()) {
    (*owner)->RefuseAll(accepted);
    upstream->fetch_sub(1, std::memory_order_relaxed);
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
  if (Status status = StillWanted(photo, clock_.Now(), "decoded"); !status.ok()) return status;
  const int short_side = definition.reduced_decode ? ReducedShortSide(definition.preprocess) : 0;
  SharedBytes& encoded = photo.request().image;
  Result<Image> image = DecodeImage(encoded.view(), limits_, short_side);
  if (!image.ok()) return image.status();
  encoded = {};  // not needed again, and up to the body limit large
  photo.SetDecoded(*std::move(image), devices_.front()->wants_decoded_images());
  photo.stages().decode_end = clock_.Now();
  return StillWanted(photo, clock_.Now(), "queued");
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

}  // namespace xcloud
