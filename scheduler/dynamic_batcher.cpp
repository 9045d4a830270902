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
Status RemovedStatus() {
  return Status::Unavailable("the model has been removed");
}

Status RefusalStatus(RefuseReason reason) {
  if (reason == RefuseReason::kCancelled) return Status::Cancelled("the caller went away");
  return Status::DeadlineExceeded("the deadline passed while the request waited in the queue");
}

std::vector<std::string> LaneNames(const std::vector<BatchExecutor*>& lanes) {
  std::vector<std::string> names;
  names.reserve(lanes.size());
  for (const BatchExecutor* lane : lanes) names.push_back(lane->info().name);
  return names;
}

}  // namespace

DynamicBatcher::Model::Model(const BatchLimits& knobs, std::size_t devices,
                             const ModelMetrics& model_metrics)
    : limits(knobs), queue(knobs.queue_capacity), profile(devices), metrics(model_metrics) {
  XC_CHECK(knobs.max_batch >= 1 && knobs.max_batch <= knobs.queue_capacity);
}

DynamicBatcher::DynamicBatcher(Clock& clock, MetricsRegistry& metrics,
                               std::vector<BatchExecutor*> lanes)
    : clock_(clock),
      metrics_(metrics),
      lanes_(std::move(lanes)),
      lane_names_(LaneNames(lanes_)),
      lane_busy_us_(LaneBusyCounters(metrics, lane_names_)) {
  for (const BatchExecutor* lane : lanes_) {
    const std::size_t device = devices_.emplace(lane->info().device, devices_.size()).first->second;
    lane_views_.push_back({device, false});
  }
  thread_ = std::thread([this] { Loop(); });
}

DynamicBatcher::~DynamicBatcher() {
  Stop();
}

ModelId DynamicBatcher::AddModel(std::string_view name, const BatchLimits& limits,
                                 const std::vector<ProfilePoint>& profile) {
  // Before the lock: a scrape holds the registry's own for as long as it renders.
  const ModelMetrics model_metrics(metrics_, name, lane_names_);
  MutexLock lock(mutex_);
  const ModelId id = next_model_++;
  Model& model = models_.try_emplace(id, limits, devices_.size(), model_metrics).first->second;
  model.last_finish = clock_.Now();
  for (const ProfilePoint& point : profile) {
    const auto device = devices_.find(point.device);
    if (device != devices_.end()) model.profile.Learn(device->second, point.items, point.elapsed);
  }
  RebuildViews();
  return id;
}

void DynamicBatcher::RemoveModel(ModelId model) {
  std::vector<Refused> refused;
  {
    MutexLock lock(mutex_);
    const auto found = models_.find(model);
    if (found == models_.end()) return;
    refused = RefuseAll(found->second, RefuseReason::kRemoved, RemovedStatus());
    models_.erase(found);
    RebuildViews();
  }
  Tell(std::move(refused));
}

Status DynamicBatcher::Admit(ModelId model, std::size_t items, Deadline deadline) const {
  MutexLock lock(mutex_);
  if (stopping_) return StoppingStatus();
  const auto found = models_.find(model);
  if (found == models_.end()) return RemovedStatus();
  const TimePoint now = clock_.Now();
  const Duration goal = found->second.limits.latency_goal;
  if (!deadline.IsSet() && goal > Duration::zero()) deadline = Deadline::After(now, goal);
  std::optional<Refusal> refusal = Check(found->second, items, deadline, now);
  return refusal ? std::move(refusal->status) : Status::Ok();
}

Status DynamicBatcher::Submit(ModelId model, ScheduledRequestPtr& request) {
  XC_CHECK(request != nullptr);
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) return StoppingStatus();
    const auto found = models_.find(model);
    if (found == models_.end()) return RemovedStatus();
    Model& into = found->second;
    const TimePoint now = clock_.Now();
    const TimePoint arrival = request->arrival == TimePoint{} ? now : request->arrival;
    const Duration goal = into.limits.latency_goal;
    const bool takes_goal = !request->deadline.IsSet() && goal > Duration::zero();
    const Deadline deadline = takes_goal ? Deadline::After(arrival, goal) : request->deadline;
    if (std::optional<Refusal> refusal = Check(into, request->items, deadline, now)) {
      return std::move(refusal->status);
    }
    const std::size_t items = request->items;
    request->arrival = arrival;
    request->deadline = deadline;
    if (into.queue.size() == 0 && into.running == 0) into.rate.Begin(now);
    const bool taken = into.queue.TryPush(request, now);
    XC_CHECK(taken);  // Check saw the room, and the lock is held
    into.metrics.Queued(items);
    ++waiting_;
    // With every lane busy and no earlier alarm to set, the thread may sleep on: the request
    // joins a batch when a lane comes free.
    const bool lane_free = running_ < lanes_.size();
    wake = sleeps_until_.has_value() && (lane_free || deadline.when() < *sleeps_until_);
  }
  if (wake) wake_.NotifyOne();
  return Status::Ok();
}

void DynamicBatcher::Stop() {
  std::vector<Refused> refused;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [id, model] : models_) {
      for (Refused& one : RefuseAll(model, RefuseReason::kStopping, StoppingStatus())) {
        refused.push_back(std::move(one));
      }
    }
    wake_.NotifyOne();
  }
  Tell(std::move(refused));
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  while (!Idle()) idle_.Wait(mutex_);
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
    // The lane first: it is idle, and a refusal can wait a few microseconds.
    if (work.start) {
      const std::size_t lane = work.start->lane;
      Batch batch = std::move(work.start->batch);
      BatchDone done = [this, lane, model = batch.model, items = batch.items,
                        started = batch.closed_at](const BatchReport& report) {
        Finish(lane, model, items, started, report);
      };
      lanes_[lane]->Start(std::move(batch), std::move(done));
    }
    Tell(std::move(work.refused));
  }
}

bool DynamicBatcher::NextWork(Work& work) {
  while (!stopping_) {
    const TimePoint now = clock_.Now();
    const PolicyDecision decision = Decide({views_, lane_views_, now, drainers_ > 0});
    if (decision.start || !decision.refusals.empty()) {
      Apply(decision, now, work);
      return true;
    }
    sleeps_until_ = decision.look_again;
    clock_.WaitUntil(wake_, mutex_, decision.look_again);
    sleeps_until_.reset();
  }
  return false;
}

void DynamicBatcher::Apply(const PolicyDecision& decision, TimePoint now, Work& work) {
  for (const PolicyRefusal& refusal : decision.refusals) {
    Model& model = models_.at(view_models_[refusal.queue]);
    Waiting waiting = model.queue.Take(refusal.key);
    model.metrics.Left(waiting.request->items);
    model.metrics.Refused(refusal.reason);
    work.refused.push_back({std::move(waiting.request), RefusalStatus(refusal.reason)});
  }
  waiting_ -= work.refused.size();
  untold_ += work.refused.size();
  if (decision.start) work.start = Close(*decision.start, now);
}

DynamicBatcher::Started DynamicBatcher::Close(const PolicyStart& start, TimePoint now) {
  Started started;
  started.lane = start.lane;
  Batch& batch = started.batch;
  batch.model = view_models_[start.queue];
  batch.closed_at = now;
  Model& model = models_.at(batch.model);
  batch.requests.reserve(start.requests);
  for (Waiting& waiting : model.queue.TakeFront(start.requests)) {
    batch.items += waiting.request->items;
    model.metrics.Left(waiting.request->items);
    model.metrics.Waited(now - waiting.enqueued);
    batch.requests.push_back(std::move(waiting.request));
  }
  XC_CHECK(batch.items == start.items && !lane_views_[start.lane].busy);
  model.metrics.Started(start.lane, batch.items, start.reason);
  ++model.running;
  views_[start.queue].last_served = ++starts_;
  lane_views_[start.lane].busy = true;
  waiting_ -= batch.requests.size();
  ++running_;
  return started;
}

void DynamicBatcher::Finish(std::size_t lane, ModelId id, std::size_t items, TimePoint started,
                            const BatchReport& report) {
  MutexLock lock(mutex_);
  XC_CHECK(lane_views_[lane].busy);
  const TimePoint now = clock_.Now();
  lane_views_[lane].busy = false;
  --running_;
  lane_busy_us_[lane]->Add(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - started).count()));
  const auto found = models_.find(id);
  if (found != models_.end()) {
    Model& model = found->second;
    --model.running;
    model.last_finish = now;
    model.rate.Finish(items, now);
    // The time of a batch that failed says nothing about one that works.
    if (report.status.ok()) model.profile.Learn(lane_views_[lane].device, items, report.elapsed);
  }
  // Under the lock: once it is released, Stop may return and these may be gone.
  if (waiting_ > 0) wake_.NotifyOne();
  if (Idle()) idle_.NotifyAll();
}

std::vector<DynamicBatcher::Refused> DynamicBatcher::RefuseAll(Model& model, RefuseReason reason,
                                                               const Status& status) {
  std::vector<Refused> refused;
  for (Waiting& waiting : model.queue.TakeAll()) {
    model.metrics.Left(waiting.request->items);
    model.metrics.Refused(reason);
    refused.push_back({std::move(waiting.request), status});
  }
  waiting_ -= refused.size();
  untold_ += refused.size();
  return refused;
}

void DynamicBatcher::Tell(std::vector<Refused> refused) {
  if (refused.empty()) return;
  for (Refused& one : refused) {
    one.request->Refuse(std::move(one.status));
    one.request.reset();
  }
  MutexLock lock(mutex_);
  untold_ -= refused.size();
  if (Idle()) idle_.NotifyAll();
}

void DynamicBatcher::RebuildViews() {
  std::map<ModelId, std::uint64_t> served;
  for (std::size_t i = 0; i < views_.size(); ++i) served[view_models_[i]] = views_[i].last_served;
  views_.clear();
  view_models_.clear();
  for (const auto& [id, model] : models_) {
    views_.push_back({&model.queue, &model.profile, model.limits, served[id]});
    view_models_.push_back(id);
  }
}

std::optional<Refusal> DynamicBatcher::Check(const Model& model, std::size_t items,
                                             Deadline deadline, TimePoint now) const {
  const QueueView view{&model.queue, &model.profile, model.limits, 0};
  const bool probe =
      model.queue.size() == 0 && model.running == 0 && now - model.last_finish >= kProbeInterval;
  std::optional<Refusal> refusal =
      CheckAdmission({view, lane_views_, model.rate.ItemsPerSecond(), items, deadline, now, probe});
  if (refusal) model.metrics.Refused(refusal->reason);
  return refusal;
}

bool DynamicBatcher::Idle() const {
  return waiting_ == 0 && running_ == 0 && untold_ == 0;
}

}  // namespace xcloud
