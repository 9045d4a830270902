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
  for (const RepositoryEntry& entry : entries) {
    if (!entry.definition.is_pipeline()) AddService(entry);
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
  if (loader_.joinable()) loader_.join();
  DropJobs();
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

// A refusal here is the request's end, and it is counted as one: Infer never sees it.
Status ModelServer::Admit(std::string_view name, Priority priority, Deadline deadline) const {
  const std::shared_ptr<const ServiceMap> map = services();
  const Service* const service = FindIn(*map, name);
  Status status = CheckUsable(name, service);
  const bool usable = status.ok();
  if (usable) status = CheckRoom(*service, priority, deadline);
  if (status.ok() || service == nullptr) return status;
  (*service->outcomes)[static_cast<std::size_t>(status.code())]->Add();
  if (usable) service->model->statistics->RequestRefused(status.code());
  return status;
}

Status ModelServer::CheckRoom(const Service& service, Priority priority, Deadline deadline) const {
  if (deadline.Expired(clock_.Now())) {
    return Status::DeadlineExceeded("the deadline has passed already");
  }
  AdmitQuery query;
  query.priority = priority;
  query.deadline = deadline;
  query.upstream_items = service.upstream->load(std::memory_order_relaxed);
  // What is declared to take tensors never decodes, as a rule; a photo that comes for it all the
  // same meets the pool in Infer.
  if (service.model->definition.takes_photos()) {
    if (Status status = pool_.Admit(); !status.ok()) return status;
    query.upstream_delay = pool_.ExpectedDelay();
  }
  return scheduler_.Admit(service.model->id, query);
}

Status ModelServer::CheckVersion(const InferenceRequest& request, const ServiceInfo& info) {
  if (request.version.empty() || request.version == info.version) return Status::Ok();
  return Status::NotFound("service '" + request.service + "' has no version '" + request.version +
                          "'; it serves " + info.version);
}

void ModelServer::Infer(InferenceRequest request, InferenceCallback done) {
  const std::shared_ptr<const ServiceMap> map = services();
  const Service* const service = FindIn(*map, request.service);
  Status status = CheckUsable(request.service, service);
  if (status.ok()) status = CheckVersion(request, *service->info);
  Ending ending;
  if (service != nullptr) ending.outcomes = service->outcomes;
  CheckedInputs inputs;
  if (status.ok()) {
    ending.statistics = service->model->statistics;
    Result<CheckedInputs> checked = CheckInputs(service->model->definition, request);
    status = checked.status();
    if (checked.ok()) inputs = *checked;
    ending.items = inputs.items;
    const Duration goal = service->info->latency_goal;
    if (!request.deadline.IsSet() && goal > Duration::zero()) {
      request.deadline = Deadline::After(request.first_byte, goal);
    }
  }
  if (status.ok() && inputs.form == InputForm::kPhotos && inputs.items > 1) {
    status = AdmitPhotos(scheduler_, service->model->id, request, inputs.items);
  }
  InferenceCallback counted = Counted(std::move(ending), std::move(done));
  if (!status.ok()) {
    InferenceResult refused;
    refused.status = std::move(status);
    refused.model = request.service;
    if (service != nullptr) refused.version = service->info->version;
    refused.stages.first_byte = request.first_byte;
    refused.stages.received = request.received;
    return counted(std::move(refused));
  }
  Accept(*service, std::make_unique<ItemRequest>(service->model, std::move(request), inputs,
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

void ModelServer::Accept(const Service& service, std::unique_ptr<ItemRequest> request) {
  if (!BeginRequest()) return request->RefuseAll(Status::Unavailable(kShuttingDown));
  if (request->form() != InputForm::kPhotos) {
    Queue(std::move(request));
    return EndRequest();
  }
  const auto group = std::make_shared<PhotoGroup>(std::move(request));
  if (Status status = Decode(group, service); !status.ok()) {
    group->TakeRequest()->RefuseAll(std::move(status));
    EndRequest();
  }
}

// All of the group's photos are in the pool, or none is.
Status ModelServer::Decode(const std::shared_ptr<PhotoGroup>& group, const Service& service) {
  const std::shared_ptr<std::atomic<std::size_t>> upstream = service.upstream;
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
