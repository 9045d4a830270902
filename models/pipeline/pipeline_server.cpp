#include "models/pipeline/pipeline_server.h"

#include <algorithm>
#include <utility>

#include "models/pipeline/gallery.h"

namespace xcloud {
namespace {

constexpr const char* kShuttingDown = "the server is shutting down";
constexpr std::chrono::milliseconds kRetryAfterFull{100};

DecodePoolOptions PoolOptions(const DecodeConfig& config, std::size_t pipelines) {
  DecodePoolOptions options;
  options.threads = config.threads > 0 ? static_cast<std::size_t>(config.threads)
                                       : std::max(1U, std::thread::hardware_concurrency() / 2);
  // One job a request and one a load: see invariant 3 of PipelineRun.
  options.queue_capacity = PipelineServer::kMaxRuns + pipelines;
  return options;
}

std::size_t CountPipelines(const std::vector<RepositoryEntry>& entries) {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(),
                    [](const RepositoryEntry& entry) { return entry.definition.is_pipeline(); }));
}

}  // namespace

Result<std::unique_ptr<PipelineServer>> PipelineServer::Create(const RepositoryConfig& repository,
                                                               const DecodeConfig& decode,
                                                               InferenceService& models,
                                                               const Clock& clock,
                                                               MetricsRegistry& metrics) {
  const Result<std::vector<RepositoryEntry>> entries = ScanRepository(repository.path);
  if (!entries.ok()) return entries.status();
  return std::unique_ptr<PipelineServer>(
      new PipelineServer(repository.path, *entries, decode, models, clock, metrics));
}

PipelineServer::PipelineServer(const std::filesystem::path& root,
                               const std::vector<RepositoryEntry>& entries,
                               const DecodeConfig& decode, InferenceService& models,
                               const Clock& clock, MetricsRegistry& metrics)
    : models_(models),
      clock_(clock),
      metrics_(metrics),
      root_(root),
      limits_{decode.max_pixels, decode.max_side},
      pool_(PoolOptions(decode, CountPipelines(entries)), clock) {
  for (const RepositoryEntry& entry : entries) {
    if (!entry.definition.is_pipeline()) continue;
    const std::string& name = entry.definition.name;
    Slot slot;
    slot.declared = Declare(entry);
    auto outcomes = std::make_shared<Outcomes>();
    for (std::size_t code = 0; code < outcomes->size(); ++code) {
      const std::string_view word = StatusCodeName(static_cast<StatusCode>(code));
      (*outcomes)[code] =
          &metrics.GetCounter("xcloud_inference_total", "Photos asked about, by how it ended.",
                              {{"model", name}, {"outcome", std::string(word)}});
    }
    slot.outcomes = std::move(outcomes);
    slots_.emplace(name, std::move(slot));
  }
}

PipelineServer::~PipelineServer() {
  Stop();
}

void PipelineServer::BeginStop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.NotifyAll();
}

void PipelineServer::Stop() {
  BeginStop();
  MutexLock lock(mutex_);
  while (running_ > 0 || loads_ > 0) changed_.Wait(mutex_);
}

PipelineServer::Slot PipelineServer::SlotOf(std::string_view name) const {
  MutexLock lock(mutex_);
  return slots_.find(name)->second;
}

std::vector<ServiceInfoPtr> PipelineServer::List() const {
  std::vector<ServiceInfoPtr> list = models_.List();
  for (const auto& [name, slot] : slots_) list.push_back(InfoOf(name));
  std::sort(list.begin(), list.end(),
            [](const ServiceInfoPtr& a, const ServiceInfoPtr& b) { return a->name < b->name; });
  return list;
}

ServiceInfoPtr PipelineServer::Find(std::string_view name) const {
  return Has(name) ? InfoOf(std::string(name)) : models_.Find(name);
}

Status PipelineServer::CheckUsable(const ServiceInfo& info) const {
  {
    MutexLock lock(mutex_);
    if (stopping_) return Status::Unavailable(kShuttingDown);
  }
  if (info.state == ServiceState::kReady) return Status::Ok();
  const bool loading = info.state == ServiceState::kLoading;
  return Status::Unavailable("service '" + info.name + "' " +
                             (loading ? "is loading: " : "does not answer: ") + info.reason);
}

// Whether every model that it will ask would take one item now. A hint, as all of Admit.
Status PipelineServer::CheckRoom(const Slot& slot, Priority priority, Deadline deadline) const {
  if (deadline.Expired(clock_.Now())) {
    return Status::DeadlineExceeded("the deadline has passed already");
  }
  {
    MutexLock lock(mutex_);
    if (running_ >= kMaxRuns) {
      return Status::Overloaded("too many requests of several stages are being answered",
                                kRetryAfterFull);
    }
  }
  for (const Stage& stage : slot.declared->pipeline->stages()) {
    if (!stage.required) continue;
    if (Status room = models_.Admit(stage.model, "", priority, deadline); !room.ok()) return room;
  }
  return Status::Ok();
}

Result<ServiceInfoPtr> PipelineServer::FindVersion(std::string_view name,
                                                   std::string_view version) const {
  if (!Has(name)) return models_.FindVersion(name, version);
  ServiceInfoPtr info = InfoOf(std::string(name));
  if (version.empty() || version == info->version) return info;
  return Status::NotFound("service '" + info->name + "' has no version '" + std::string(version) +
                          "'; it serves " + info->version);
}

Status PipelineServer::Admit(std::string_view name, std::string_view version, Priority priority,
                             Deadline deadline) const {
  if (!Has(name)) return models_.Admit(name, version, priority, deadline);
  const Result<ServiceInfoPtr> found = FindVersion(name, version);
  const ServiceInfoPtr info = InfoOf(std::string(name));
  const Slot slot = SlotOf(name);
  Status status = found.ok() ? CheckUsable(*info) : found.status();
  const bool usable = status.ok();
  if (usable) status = CheckRoom(slot, priority, deadline);
  if (status.ok()) return status;
  (*slot.outcomes)[static_cast<std::size_t>(status.code())]->Add();
  if (usable) slot.declared->statistics->RequestRefused(status.code());
  return status;
}

Status PipelineServer::CheckRequest(const InferenceRequest& request, const ServiceInfo& info) {
  const std::string service = "service '" + info.name + "' ";
  if (!request.version.empty() && request.version != info.version) {
    return Status::NotFound(service + "has no version '" + request.version + "'; it serves " +
                            info.version);
  }
  if (request.answer == AnswerKind::kTensors || !request.inputs.empty()) {
    return Status::InvalidArgument(
        service + "answers in a form of its own, and takes no tensors: " + "POST " + info.route);
  }
  const bool answers = request.action == ServiceAction::kAnswer;
  if (!answers && !info.has_gallery) {
    return Status::InvalidArgument(service + "keeps no gallery");
  }
  const bool about_id =
      request.action == ServiceAction::kEnrol || request.action == ServiceAction::kRemove;
  if (about_id && !IsGalleryId(request.subject)) {
    return Status::InvalidArgument("an id has 1 to 64 of A-Z a-z 0-9 . _ @ -");
  }
  const bool takes_photo = (answers && !info.takes_rows) || request.action == ServiceAction::kEnrol;
  if (takes_photo && request.image.empty()) return Status::InvalidArgument("there is no photo");
  if (answers && info.takes_rows && request.subject.empty()) {
    return Status::InvalidArgument(service + "needs the id of a row");
  }
  return Status::Ok();
}

bool PipelineServer::Begin(Status& refused) {
  MutexLock lock(mutex_);
  if (stopping_) {
    refused = Status::Unavailable(kShuttingDown);
  } else if (running_ >= kMaxRuns) {
    refused = Status::Overloaded("too many requests of several stages are being answered",
                                 kRetryAfterFull);
  } else {
    ++running_;
    return true;
  }
  return false;
}

void PipelineServer::EndOne() {
  MutexLock lock(mutex_);
  --running_;
  // Under the lock: after it, Stop may return and the server be gone.
  if (running_ == 0) changed_.NotifyAll();
}

void PipelineServer::Infer(InferenceRequest request, InferenceCallback done) {
  if (!Has(request.service)) return models_.Infer(std::move(request), std::move(done));
  const ServiceInfoPtr info = InfoOf(request.service);
  const Slot slot = SlotOf(request.service);
  Status status = CheckUsable(*info);
  const bool usable = status.ok();
  if (usable) status = CheckRequest(request, *info);
  InferenceResult refused;
  refused.model = info->name;
  refused.version = info->version;
  refused.stages.first_byte = request.first_byte;
  refused.stages.received = request.received;
  const auto told = [clock = &clock_, statistics = usable ? slot.declared->statistics : nullptr,
                     outcomes = slot.outcomes, model = info->name, version = info->version,
                     done = std::move(done)](InferenceResult result) {
    result.stages.answered = clock->Now();
    result.model = model;
    result.version = version;
    (*outcomes)[static_cast<std::size_t>(result.status.code())]->Add();
    if (statistics != nullptr) statistics->RequestEnded(result, 1, clock->WallNow());
    done(std::move(result));
  };
  if (status.ok() && Begin(status)) {
    if (!request.deadline.IsSet() && info->latency_goal > Duration::zero()) {
      request.deadline = Deadline::After(request.first_byte, info->latency_goal);
    }
    const std::shared_ptr<const Pipeline> pipeline(slot.declared, slot.declared->pipeline.get());
    status = PipelineRun::Start({models_, pool_, clock_, limits_}, pipeline, std::move(request),
                                [this, told](InferenceResult result) {
                                  told(std::move(result));
                                  EndOne();
                                });
    if (status.ok()) return;
    refused.status = std::move(status);
    told(std::move(refused));
    return EndOne();
  }
  refused.status = std::move(status);
  told(std::move(refused));
}

Status PipelineServer::Ready() const {
  if (Status models = models_.Ready(); !models.ok()) return models;
  MutexLock lock(mutex_);
  if (stopping_) return Status::Unavailable(kShuttingDown);
  for (const auto& [name, slot] : slots_) {
    if (slot.state == ServiceState::kLoading && loads_ > 0) {
      return Status::Unavailable("loading: " + name);
    }
  }
  return Status::Ok();
}

}  // namespace xcloud
