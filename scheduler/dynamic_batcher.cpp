#include "scheduler/dynamic_batcher.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

namespace xcloud {
namespace {

// Linux adds up to the slack to each timed sleep; its default of 50 us would be in each deadline.
constexpr unsigned long kTimerSlackNs = 1000;

Status StoppingStatus() {
  return Status::Unavailable("the server is stopping");
}
Status CancelledStatus() {
  return Status::Cancelled("the caller went away");
}
Status RemovedStatus() {
  return Status::Unavailable("the model has been removed");
}

std::vector<std::string> LaneNames(const std::vector<BatchExecutor*>& lanes) {
  std::vector<std::string> names;
  names.reserve(lanes.size());
  for (const BatchExecutor* lane : lanes) names.push_back(lane->info().name);
  return names;
}

std::vector<std::string> DeviceNames(const std::vector<BatchExecutor*>& lanes) {
  std::vector<std::string> names;
  for (const BatchExecutor* lane : lanes) {
    const std::string& name = lane->info().device;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::map<std::string, std::size_t, std::less<>> Numbered(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t, std::less<>> numbers;
  for (const std::string& name : names) numbers.emplace(name, numbers.size());
  return numbers;
}

std::vector<std::size_t> DeviceOf(const std::vector<BatchExecutor*>& lanes,
                                  const std::map<std::string, std::size_t, std::less<>>& numbers) {
  std::vector<std::size_t> devices;
  for (const BatchExecutor* lane : lanes) devices.push_back(numbers.at(lane->info().device));
  return devices;
}

bool AreSane(const BatchLimits& limits) {
  return limits.max_batch >= 1 && limits.max_batch <= limits.queue_capacity;
}

}  // namespace

DynamicBatcher::Model::Model(std::size_t capacity, std::size_t devices,
                             const ModelMetrics& model_metrics)
    : queue(capacity), profile(devices), metrics(model_metrics) {}

DynamicBatcher::DynamicBatcher(Clock& clock, MetricsRegistry& metrics,
                               std::vector<BatchExecutor*> lanes, ProfileStore* store)
    : clock_(clock),
      metrics_(metrics),
      lanes_(std::move(lanes)),
      lane_names_(LaneNames(lanes_)),
      device_names_(DeviceNames(lanes_)),
      devices_(Numbered(device_names_)),
      lane_busy_seconds_(LaneBusyHistograms(metrics, lane_names_)),
      imbalance_(metrics.GetGauge("xcloud_device_imbalance_permille",
                                  "0 = all devices are equally busy, 1000 = one does everything.")),
      port_(std::make_shared<DonePort>()),
      store_(store),
      health_(device_names_),
      board_(lanes_, DeviceOf(lanes_, devices_), health_),
      busy_(device_names_.size()) {
  for (const std::string& device : device_names_) device_metrics_.emplace_back(metrics, device);
  {
    MutexLock lock(port_->mutex);
    port_->batcher = this;
  }
  thread_ = std::thread([this] { Loop(); });
}

DynamicBatcher::~DynamicBatcher() {
  Stop();
  MutexLock lock(port_->mutex);
  port_->batcher = nullptr;
}

ModelId DynamicBatcher::AddModel(std::string_view name, std::string_view version,
                                 const BatchLimits& limits,
                                 const std::vector<ProfilePoint>& profile) {
  XC_CHECK(AreSane(limits));
  // Before the lock: a scrape holds the registry's own for as long as it renders.
  const ModelMetrics model_metrics(metrics_, name, lane_names_);
  std::vector<ProfileEntry> kept;
  if (store_ != nullptr) kept = store_->Load(name, version);
  MutexLock lock(mutex_);
  const ModelId id = next_model_++;
  Model& model =
      models_.try_emplace(id, limits.queue_capacity, devices_.size(), model_metrics).first->second;
  model.name = name;
  model.version = version;
  model.last_finish = clock_.Now();
  model.metrics.SetLimits(limits);
  for (const ProfilePoint& point : profile) {
    const auto device = devices_.find(point.device);
    if (device != devices_.end()) model.profile.Learn(device->second, point.items, point.elapsed);
  }
  for (const auto& [device, number] : devices_) model.profile.Restore(number, device, kept);
  QueueView view;
  view.waiting = &model.queue;
  view.profile = &model.profile;
  view.limits = limits;
  fair_share_.Join(view);
  views_.push_back(view);  // ids rise, so the order is that of models_
  view_models_.push_back(id);
  return id;
}

void DynamicBatcher::RemoveModel(ModelId id) {
  std::vector<Refused> refused;
  Learned learned;
  {
    MutexLock lock(mutex_);
    const auto found = models_.find(id);
    if (found == models_.end()) return;
    learned = LearnedBy(found->second);
    RefuseAll(found->second, RefuseReason::kRemoved, RemovedStatus(), refused);
    const auto index = static_cast<std::ptrdiff_t>(IndexOf(id));
    views_.erase(views_.begin() + index);
    view_models_.erase(view_models_.begin() + index);
    models_.erase(found);
  }
  Tell(std::move(refused));
  Save(learned);
}

void DynamicBatcher::SetLimits(ModelId id, const BatchLimits& limits) {
  XC_CHECK(AreSane(limits));
  MutexLock lock(mutex_);
  const auto found = models_.find(id);
  if (found == models_.end()) return;
  views_[IndexOf(id)].limits = limits;
  found->second.queue.SetCapacity(limits.queue_capacity);
  found->second.metrics.SetLimits(limits);
  wake_.NotifyOne();  // a shorter delay or a smaller batch may be ready now
}

Status DynamicBatcher::Admit(ModelId id, const AdmitQuery& asked) const {
  MutexLock lock(mutex_);
  if (stopping_) return StoppingStatus();
  const auto found = models_.find(id);
  if (found == models_.end()) return RemovedStatus();
  const TimePoint now = clock_.Now();
  AdmitQuery query = asked;
  const Duration goal = views_[IndexOf(id)].limits.latency_goal;
  if (!query.deadline.IsSet() && goal > Duration::zero()) {
    query.deadline = Deadline::After(now, goal);
  }
  std::optional<Refusal> refusal = CheckAdmission(QueryOf(id, found->second, query, now));
  if (!refusal) return Status::Ok();
  found->second.metrics.Refused(refusal->reason);
  if (refusal->reason == RefuseReason::kQueueFull) AskForSweep();
  return std::move(refusal->status);
}

// Nobody wakes the scheduler for a request whose caller went away; a full queue is worth a look.
void DynamicBatcher::AskForSweep() const {
  sweep_cancelled_ = true;
  wake_.NotifyOne();
}

void DynamicBatcher::SweepCancelled(std::vector<Refused>& refused) {
  for (auto& [id, model] : models_) {
    std::vector<WaitingKey> gone;
    for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
      for (const auto& [key, waiting] : model.queue.InClass(c)) {
        if (waiting.part.request->Cancelled()) gone.push_back(key);
      }
    }
    for (const WaitingKey& key : gone) {
      Refuse(&model, Leave(model, key), RefuseReason::kCancelled, CancelledStatus(), refused);
    }
  }
}

Status DynamicBatcher::Submit(ModelId id, ScheduledRequestPtr& request) {
  XC_CHECK(request != nullptr);
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) return StoppingStatus();
    const auto found = models_.find(id);
    if (found == models_.end()) return RemovedStatus();
    Model& into = found->second;
    QueueView& view = views_[IndexOf(id)];
    const TimePoint now = clock_.Now();
    const TimePoint arrival = request->arrival == TimePoint{} ? now : request->arrival;
    const Duration goal = view.limits.latency_goal;
    const bool takes_goal = !request->deadline.IsSet() && goal > Duration::zero();
    AdmitQuery query;
    query.items = request->items;
    query.priority = request->priority;
    query.deadline = takes_goal ? Deadline::After(arrival, goal) : request->deadline;
    const AdmissionQuery asked = QueryOf(id, into, query, now);
    if (std::optional<Refusal> refusal = CheckAdmission(asked)) {
      into.metrics.Refused(refusal->reason);
      if (refusal->reason == RefuseReason::kQueueFull) AskForSweep();
      return std::move(refusal->status);
    }
    const bool probe = IsProbe(asked);
    request->arrival = arrival;
    request->deadline = query.deadline;
    if (into.queue.empty() && into.running == 0) {
      into.rate.Begin(now);
      fair_share_.Join(view);
    }
    wake = NeedsWaking(view, *request);
    const bool taken = into.queue.TryPush(request, now, view.limits.patience, probe);
    XC_CHECK(taken);  // CheckAdmission saw the room, and the lock is held
    into.metrics.Queued(query.items);
    ++waiting_;
  }
  if (wake) wake_.NotifyOne();
  return Status::Ok();
}

// With every lane busy and no earlier alarm to set, the thread may sleep on: the request joins a
// batch when a lane comes free.
bool DynamicBatcher::NeedsWaking(const QueueView& view, const ScheduledRequest& request) const {
  if (!sleeps_until_.has_value()) return false;
  const auto has_room = [](const LaneView& lane) { return lane.HasRoom(); };
  const std::span<const LaneView> lanes = board_.views();
  if (std::any_of(lanes.begin(), lanes.end(), has_room)) return true;
  if (!request.deadline.IsSet()) return false;
  const Duration own = FastestCost(lanes, view, request.items);
  return request.deadline.when() - own - kReplyMargin < *sleeps_until_;
}

std::vector<DeviceHealth> DynamicBatcher::Devices() const {
  MutexLock lock(mutex_);
  std::vector<DeviceHealth> devices;
  for (std::size_t i = 0; i < health_.size(); ++i) {
    DeviceHealth health = health_.Of(i);
    health.lanes = board_.Lanes(i);
    health.busy = board_.BusyLanes(i);
    devices.push_back(std::move(health));
  }
  return devices;
}

void DynamicBatcher::Stop() {
  SaveProfiles();
  std::vector<Refused> refused;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [id, model] : models_) {
      RefuseAll(model, RefuseReason::kStopping, StoppingStatus(), refused);
    }
    wake_.NotifyOne();
  }
  Tell(std::move(refused));
  if (thread_.joinable()) thread_.join();
  WaitForRunning();
}

void DynamicBatcher::WaitForRunning() {
  while (true) {
    std::vector<Refused> taken_back;
    {
      MutexLock lock(mutex_);
      TakeBackHung(clock_.Now(), taken_back);
      if (taken_back.empty()) {
        if (Idle()) return;
        clock_.WaitUntil(idle_, mutex_, board_.NextHang());
      }
    }
    Tell(std::move(taken_back));
  }
}

std::size_t DynamicBatcher::lost() const {
  MutexLock lock(mutex_);
  return lost_;
}

void DynamicBatcher::BeginDrain() {
  MutexLock lock(mutex_);
  ++drainers_;
  wake_.NotifyOne();
}

bool DynamicBatcher::WaitIdle(TimePoint until) {
  MutexLock lock(mutex_);
  ++drainers_;
  wake_.NotifyOne();
  while (!Idle() && clock_.Now() < until) clock_.WaitUntil(idle_, mutex_, until);
  --drainers_;
  return Idle();
}

void DynamicBatcher::Loop() {
  pthread_setname_np(pthread_self(), "xc-scheduler");
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  while (true) {
    Work work;
    {
      MutexLock lock(mutex_);
      if (!NextWork(work)) return;
    }
    // The lanes first: they are idle, and a refusal can wait a few microseconds.
    for (Started& start : work.starts) {
      BatchExecutor& lane = *lanes_[start.lane];
      BatchDone done = DoneOf(start.lane, start.run);
      if (start.batch.parts.empty()) {
        lane.Probe(std::move(done));
      } else {
        lane.Start(std::move(start.batch), std::move(done));
      }
    }
    Tell(std::move(work.refused));
  }
}

bool DynamicBatcher::NextWork(Work& work) {
  while (!stopping_) {
    const TimePoint now = clock_.Now();
    TakeBackHung(now, work.refused);
    if (std::exchange(sweep_cancelled_, false)) SweepCancelled(work.refused);
    BeginProbes(now, work);
    const PolicyDecision decision =
        Decide({views_, board_.views(), now, drainers_ > 0, passed_over_});
    Apply(decision, now, work);
    if (!work.empty()) return true;
    sleeps_until_ = std::min({decision.look_again, board_.NextHang(), NextProbe()});
    clock_.WaitUntil(wake_, mutex_, *sleeps_until_);
    sleeps_until_.reset();
  }
  return false;
}

void DynamicBatcher::Apply(const PolicyDecision& decision, TimePoint now, Work& work) {
  passed_over_ = decision.passed_over;
  for (const PolicyRefusal& refusal : decision.refusals) {
    Model& model = models_.at(view_models_[refusal.queue]);
    Status status = RefusalStatus(refusal, now);
    Refuse(&model, Leave(model, refusal.key), refusal.reason, std::move(status), work.refused);
  }
  if (decision.start) work.starts.push_back(Close(*decision.start, now));
}

Status DynamicBatcher::RefusalStatus(const PolicyRefusal& refusal, TimePoint now) const {
  switch (refusal.reason) {
    case RefuseReason::kCancelled:
      return CancelledStatus();
    case RefuseReason::kLate:
      return Status::DeadlineExceeded(
          "the request waited so long that its answer could not be ready by the deadline");
    case RefuseReason::kShed: {
      const ModelId id = view_models_[refusal.queue];
      const double rate = models_.at(id).rate.ItemsPerSecond();
      const std::chrono::milliseconds retry_after =
          RetryAfter({views_[refusal.queue], board_.views(), views_, rate, {}, now, false});
      return Status::Overloaded("the server is overloaded and gave way to others", retry_after);
    }
    default:
      return Status::DeadlineExceeded("the deadline passed while the request waited in the queue");
  }
}

DynamicBatcher::Started DynamicBatcher::Close(const PolicyStart& start, TimePoint now) {
  Started started;
  started.lane = start.lane;
  Batch& batch = started.batch;
  batch.model = view_models_[start.queue];
  batch.closed_at = now;
  batch.run_items = start.run_items;
  batch.claim = std::make_shared<BatchClaim>();
  batch.parts.reserve(start.takes.size());
  Model& model = models_.at(batch.model);
  BatchRun run;
  run.parts.reserve(start.takes.size());
  for (const PolicyTake& take : start.takes) {
    const std::size_t before = model.queue.size();
    Waiting waiting = model.queue.Take(take.key, take.items);
    waiting_ -= before - model.queue.size();
    batch.items += waiting.part.items;
    model.metrics.Left(waiting.part.items);
    model.metrics.Waited(now - waiting.enqueued);
    batch.parts.push_back(waiting.part);
    run.parts.push_back(std::move(waiting));
  }
  XC_CHECK(batch.items == start.items && start.run_items >= start.items);
  model.metrics.Started(start.lane, batch.items, start.run_items, start.reason);
  ++model.running;
  QueueView& view = views_[start.queue];
  view.last_served = ++starts_;
  fair_share_.Start(view, start.finish - start.begins);
  run.model = batch.model;
  run.items = batch.items;
  run.run_items = batch.run_items;
  run.started = now;
  run.expected = start.finish - start.begins;
  run.finish = start.finish;
  run.claim = batch.claim;
  started.run = board_.Begin(start.lane, std::move(run));
  return started;
}

void DynamicBatcher::RefuseAll(Model& model, RefuseReason reason, const Status& status,
                               std::vector<Refused>& refused) {
  for (Waiting& waiting : model.queue.TakeAll()) {
    --waiting_;
    model.metrics.Left(waiting.part.items);
    Refuse(&model, std::move(waiting.part), reason, status, refused);
  }
}

BatchPart DynamicBatcher::Leave(Model& model, const WaitingKey& key) {
  Waiting waiting = model.queue.Take(key);
  --waiting_;
  model.metrics.Left(waiting.part.items);
  return std::move(waiting.part);
}

// The part has left its queue, or the lane that it was on.
void DynamicBatcher::Refuse(Model* model, BatchPart part, RefuseReason reason, Status status,
                            std::vector<Refused>& refused) {
  if (model != nullptr) model->metrics.Refused(reason);
  refused.push_back({std::move(part), std::move(status)});
  ++untold_;
}

void DynamicBatcher::Tell(std::vector<Refused> refused) {
  if (refused.empty()) return;
  for (Refused& one : refused) {
    one.part.request->Refuse(one.part.first, one.part.items, std::move(one.status));
    one.part.request.reset();
  }
  MutexLock lock(mutex_);
  untold_ -= refused.size();
  if (Idle()) idle_.NotifyAll();
}

std::size_t DynamicBatcher::IndexOf(ModelId model) const {
  const auto at = std::lower_bound(view_models_.begin(), view_models_.end(), model);
  XC_CHECK(at != view_models_.end() && *at == model);
  return static_cast<std::size_t>(at - view_models_.begin());
}

AdmissionQuery DynamicBatcher::QueryOf(ModelId id, const Model& model, const AdmitQuery& query,
                                       TimePoint now) const {
  const bool may_probe = MayProbe(model.queue, model.running, model.last_finish, now);
  return {views_[IndexOf(id)],
          board_.views(),
          views_,
          model.rate.ItemsPerSecond(),
          query,
          now,
          may_probe};
}

// A batch that hangs is not waited for: its parts have been taken back.
bool DynamicBatcher::Idle() const {
  return waiting_ == 0 && board_.running() == lost_ && untold_ == 0;
}

}  // namespace xcloud
