#include "models/model_server.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/log.h"
#include "models/input_check.h"
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

// Several photos are decoded before the scheduler sees them, and callers ask Admit about one: would
// so many be taken at all?
Status AdmitPhotos(const BatchScheduler& scheduler, ModelId model, const InferenceRequest& request,
                   std::size_t items) {
  AdmitQuery query;
  query.items = items;
  query.priority = request.priority;
  query.deadline = request.deadline;
  return scheduler.Admit(model, query);
}

Status NoService(std::string_view name) {
  return Status::NotFound("no service named '" + std::string(name) + "'");
}

// `which`: " version 2", or empty for the service as a whole.
Status NotAnswering(const ServiceInfo& info, const std::string& which) {
  const std::string name = "service '" + info.name + "'" + which;
  if (info.state == ServiceState::kLoading) {
    return Status::Unavailable(name + " is loading; try again soon");
  }
  return Status::Unavailable(name + " does not answer: " + info.reason);
}

}  // namespace

Result<std::unique_ptr<ModelServer>> ModelServer::Create(
    const RepositoryConfig& repository, const DecodeConfig& decode,
    const std::vector<std::unique_ptr<Device>>& devices, BatchScheduler& scheduler, Clock& clock,
    MetricsRegistry& metrics) {
  const Result<std::vector<RepositoryEntry>> entries = ScanRepository(repository.path);
  if (!entries.ok()) return entries.status();
  return std::unique_ptr<ModelServer>(
      new ModelServer(repository, *entries, decode, devices, scheduler, clock, metrics));
}

ModelServer::ModelServer(const RepositoryConfig& repository,
                         const std::vector<RepositoryEntry>& entries, const DecodeConfig& decode,
                         const std::vector<std::unique_ptr<Device>>& devices,
                         BatchScheduler& scheduler, Clock& clock, MetricsRegistry& metrics)
    : devices_(devices),
      scheduler_(scheduler),
      clock_(clock),
      metrics_(metrics),
      repository_(repository),
      root_(repository.path),
      limits_{decode.max_pixels, decode.max_side},
      services_(std::make_shared<ServiceMap>()),
      watch_(repository.path),
      pool_(PoolOptions(decode), clock) {
  MutexLock lock(admin_mutex_);
  for (const RepositoryEntry& entry : entries) {
    if (entry.definition.is_pipeline()) {
      pipelines_.insert(entry.definition.name);
      continue;
    }
    watch_.Acted(entry.definition.name, StampOfService(root_ / entry.definition.name));
    AddService(entry);
  }
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
  for (std::thread& thread : first_loaders_) thread.join();
  if (loader_.joinable()) loader_.join();
  DropJobs();
  for (const auto& [name, service] : *services()) {
    for (const auto& [number, version] : service.versions) {
      if (version.model != nullptr) scheduler_.RemoveModel(version.model->id);
    }
  }
}

std::shared_ptr<const ServiceMap> ModelServer::services() const {
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
  const ServedService* const service = FindService(*map, name);
  return service == nullptr ? nullptr : service->info;
}

Result<ServiceInfoPtr> ModelServer::FindVersion(std::string_view name,
                                                std::string_view version) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const ServedService* const service = FindService(*map, name);
  if (service == nullptr) return NoService(name);
  if (version.empty()) return service->info;
  const Result<const ServedVersion*> found = ResolveVersion(*service, version);
  if (!found.ok()) return found.status();
  return (*found)->info;
}

// The version that is meant, which answers.
Result<const ServedVersion*> ModelServer::FindUsable(std::string_view name,
                                                     std::string_view version,
                                                     const ServedService* service) const {
  if (service == nullptr) return NoService(name);
  if (stopping_.load()) return Status::Unavailable(kShuttingDown);
  if (version.empty()) {
    if (service->info->state != ServiceState::kReady) return NotAnswering(*service->info, "");
    return &service->versions.find(DefaultVersion(*service))->second;
  }
  Result<const ServedVersion*> found = ResolveVersion(*service, version);
  // A service that has nothing at all says why, whichever version is asked for.
  if (!found.ok() && DefaultVersion(*service) == 0) return NotAnswering(*service->info, "");
  if (!found.ok() || (*found)->model != nullptr) return found;
  return NotAnswering(*(*found)->info, " version " + (*found)->info->version);
}

// A refusal here is the request's end, and it is counted as one: Infer never sees it.
Status ModelServer::Admit(std::string_view name, std::string_view version, Priority priority,
                          Deadline deadline) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const ServedService* const service = FindService(*map, name);
  const Result<const ServedVersion*> found = FindUsable(name, version, service);
  const Status status = found.ok() ? CheckRoom(**found, priority, deadline) : found.status();
  if (status.ok() || service == nullptr) return status;
  (*service->outcomes)[static_cast<std::size_t>(status.code())]->Add();
  if (found.ok()) (*found)->model->statistics->RequestRefused(status.code());
  return status;
}

Status ModelServer::CheckRoom(const ServedVersion& version, Priority priority,
                              Deadline deadline) const {
  if (deadline.Expired(clock_.Now())) {
    return Status::DeadlineExceeded("the deadline has passed already");
  }
  AdmitQuery query;
  query.priority = priority;
  query.deadline = deadline;
  query.upstream_items = version.upstream->load(std::memory_order_relaxed);
  // What is declared to take tensors never decodes, as a rule; a photo that comes for it all the
  // same meets the pool in Infer.
  if (version.model->definition.takes_photos()) {
    if (Status status = pool_.Admit(); !status.ok()) return status;
    query.upstream_delay = pool_.ExpectedDelay();
  }
  return scheduler_.Admit(version.model->id, query);
}

void ModelServer::Infer(InferenceRequest request, InferenceCallback done) {
  const std::shared_ptr<const ServiceMap> map = services();
  const ServedService* const service = FindService(*map, request.service);
  const Result<const ServedVersion*> found = FindUsable(request.service, request.version, service);
  Status status = found.status();
  Ending ending;
  if (service != nullptr) ending.outcomes = service->outcomes;
  CheckedInputs inputs;
  if (status.ok()) {
    const ServedVersion& version = **found;
    ending.statistics = version.model->statistics;
    Result<CheckedInputs> checked = CheckInputs(version.model->definition, request);
    status = checked.status();
    if (checked.ok()) inputs = *checked;
    ending.items = inputs.items;
    const Duration goal = version.info->latency_goal;
    if (!request.deadline.IsSet() && goal > Duration::zero()) {
      request.deadline = Deadline::After(request.first_byte, goal);
    }
  }
  if (status.ok() && inputs.form == InputForm::kPhotos && inputs.items > 1) {
    status = AdmitPhotos(scheduler_, (*found)->model->id, request, inputs.items);
  }
  InferenceCallback counted = Counted(std::move(ending), std::move(done));
  if (!status.ok()) {
    InferenceResult refused;
    refused.status = std::move(status);
    refused.model = request.service;
    if (service != nullptr)
      refused.version = (found.ok() ? (*found)->info : service->info)->version;
    refused.stages.first_byte = request.first_byte;
    refused.stages.received = request.received;
    return counted(std::move(refused));
  }
  Accept(**found, std::make_unique<ItemRequest>((*found)->model, std::move(request), inputs,
                                                std::move(counted)));
}

// Whatever ends the request, it ends here: stamped and counted, then told. Holds nothing of this
// server, since a lane may answer after it is gone.
InferenceCallback ModelServer::Counted(Ending ending, InferenceCallback done) const {
  return [ending = std::move(ending), clock = &clock_,
          done = std::move(done)](InferenceResult result) {
    result.stages.answered = clock->Now();
    if (ending.outcomes != nullptr) {
      (*ending.outcomes)[static_cast<std::size_t>(result.status.code())]->Add();
    }
    if (ending.statistics != nullptr) {
      ending.statistics->RequestEnded(result, ending.items, clock->WallNow());
    }
    done(std::move(result));
  };
}

void ModelServer::Accept(const ServedVersion& version, std::unique_ptr<ItemRequest> request) {
  if (!BeginRequest()) return request->RefuseAll(Status::Unavailable(kShuttingDown));
  if (request->form() != InputForm::kPhotos) {
    Queue(std::move(request));
    return EndRequest();
  }
  const auto group = std::make_shared<PhotoGroup>(std::move(request));
  if (Status status = Decode(group, version); !status.ok()) {
    group->TakeRequest()->RefuseAll(std::move(status));
    EndRequest();
  }
}

// All of the group's photos are in the pool, or none is.
Status ModelServer::Decode(const std::shared_ptr<PhotoGroup>& group, const ServedVersion& version) {
  const std::shared_ptr<std::atomic<std::size_t>> upstream = version.upstream;
  std::vector<DecodePool::Job> jobs;
  jobs.reserve(group->size());
  for (std::size_t photo = 0; photo < group->size(); ++photo) {
    jobs.emplace_back([this, group, photo, upstream] {
      DecodeOne(*group, photo);
      const bool last = group->End();
      if (last) FinishDecoding(*group);
      upstream->fetch_sub(1, std::memory_order_relaxed);
      if (last) EndRequest();
    });
  }
  const std::size_t photos = jobs.size();
  upstream->fetch_add(photos, std::memory_order_relaxed);
  Status accepted = pool_.SubmitAll(std::move(jobs));
  if (!accepted.ok()) upstream->fetch_sub(photos, std::memory_order_relaxed);
  return accepted;
}

void ModelServer::DecodeOne(PhotoGroup& group, std::size_t photo) const {
  group.Begin(clock_.Now());
  const SharedBytes encoded = group.TakePhoto(photo);  // not needed again, and large
  if (group.failed()) return;
  ItemRequest& request = group.request();
  const ModelDefinition& definition = request.model().definition;
  if (stopping_.load()) return group.Fail(photo, Status::Unavailable(kShuttingDown), false);
  if (Status status = StillWanted(request, clock_.Now(), "decoded"); !status.ok()) {
    return group.Fail(photo, std::move(status), false);
  }
  const int short_side = definition.reduced_decode ? ReducedShortSide(definition.preprocess) : 0;
  try {
    Result<Image> image = DecodeImage(encoded.view(), limits_, short_side);
    if (!image.ok()) return group.Fail(photo, image.status(), true);
    request.SetDecoded(photo, *std::move(image), devices_.front()->wants_decoded_images());
  } catch (const std::bad_alloc&) {
    group.Fail(photo,
               Status::Overloaded("there is no memory for this photo now", kRetryAfterNoMemory),
               true);
  }
}

void ModelServer::FinishDecoding(PhotoGroup& group) {
  std::unique_ptr<ItemRequest> request = group.TakeRequest();
  if (group.failed()) return request->RefuseAll(group.TakeStatus());
  const TimePoint now = clock_.Now();
  request->stages().decode_end = now;
  if (Status status = StillWanted(*request, now, "queued"); !status.ok()) {
    return request->RefuseAll(std::move(status));
  }
  Queue(std::move(request));
}

void ModelServer::Queue(std::unique_ptr<ItemRequest> request) {
  request->stages().enqueued = clock_.Now();
  const ModelId model = request->model().id;
  ScheduledRequestPtr scheduled = std::move(request);
  Status queued = scheduler_.Submit(model, scheduled);
  if (!queued.ok()) scheduled->RefuseAll(std::move(queued));
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
