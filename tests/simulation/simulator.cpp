#include "tests/simulation/simulator.h"

#include <algorithm>
#include <utility>

#include "scheduler/failed_batch.h"

namespace xcloud {

class Simulator::SimRequest final : public ScheduledRequest {
 public:
  SimRequest(std::size_t id, const Record& record) : id_(id), record_(record) {}
  std::size_t id() const { return id_; }
  bool Cancelled() const override { return record_.cancelled; }
  void Refuse(std::size_t, std::size_t, Status) override {}

 private:
  const std::size_t id_;
  const Record& record_;
};

Simulator::Simulator(const Scenario& scenario)
    : scenario_(scenario),
      noise_(scenario.seed),
      records_(scenario.arrivals.size()),
      running_(scenario.models.size()),
      last_finish_(scenario.models.size(), TimePoint(std::chrono::hours(1))),
      lane_views_(scenario.lanes),
      lanes_(scenario.lanes.size()),
      outages_(scenario.devices) {
  for (const SimModel& model : scenario.models) {
    queues_.push_back(std::make_unique<ModelQueue>(model.limits.queue_capacity));
    profiles_.push_back(std::make_unique<BatchProfile>(scenario.devices));
    QueueView view;
    view.waiting = queues_.back().get();
    view.profile = profiles_.back().get();
    view.limits = model.limits;
    views_.push_back(view);
    if (model.warm_up_factor == 0) continue;
    for (std::size_t d = 0; d < scenario.devices; ++d) {
      for (std::size_t n = 1; n <= model.limits.max_batch; n *= 2) {
        const double ms = model.times[d].base_ms + model.times[d].item_ms * static_cast<double>(n);
        profiles_.back()->Learn(d, n, FromMilliseconds(ms * model.warm_up_factor));
      }
    }
  }
  for (std::size_t i = 0; i < scenario.arrivals.size(); ++i) {
    AddEvent(scenario.arrivals[i].at, EventKind::kArrive, i);
    const std::optional<TimePoint> cancel_at = scenario.arrivals[i].cancel_at;
    if (cancel_at) AddEvent(*cancel_at, EventKind::kCancel, i);
  }
  for (std::size_t i = 0; i < scenario.outages.size(); ++i) {
    AddEvent(scenario.outages[i].from, EventKind::kOutageBegins, i);
    AddEvent(scenario.outages[i].to, EventKind::kOutageEnds, i);
  }
}

std::optional<std::string> Simulator::Run() {
  while (!violation_ && (!events_.empty() || look_again_ != TimePoint::max())) {
    if (events_.empty() || look_again_ < events_.top().at) {
      now_ = look_again_;
      DecideUntilSettled();
      continue;
    }
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    Handle(event);
  }
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const Record& record = records_[i];
    const std::size_t ended =
        record.turned_away ? scenario_.arrivals[i].items : record.answered + record.refused;
    Expect(record.arrived && ended == scenario_.arrivals[i].items, "an item was lost");
  }
  return violation_;
}

void Simulator::AddEvent(TimePoint at, EventKind kind, std::size_t index, std::uint64_t run) {
  events_.push({at, next_order_++, kind, index, run});
}

void Simulator::Handle(const Event& event) {
  switch (event.kind) {
    case EventKind::kCancel:
      records_[event.index].cancelled = true;  // as in the shell: nobody wakes the policy for it
      return;
    case EventKind::kArrive:
      Arrive(event.index);
      break;
    case EventKind::kLaneDone:
      LaneDone(event.index, event.run);
      break;
    case EventKind::kOutageBegins:
      BeginOutage(scenario_.outages[event.index].device);
      break;
    case EventKind::kOutageEnds:
      --outages_[scenario_.outages[event.index].device];
      SetUsable(scenario_.outages[event.index].device);
      break;
  }
  DecideUntilSettled();
}

void Simulator::Arrive(std::size_t id) {
  const SimArrival& arrival = scenario_.arrivals[id];
  Record& record = records_[id];
  record.arrived = true;
  ModelQueue& queue = *queues_[arrival.model];
  QueueView& view = views_[arrival.model];
  ScheduledRequestPtr request = std::make_shared<SimRequest>(id, record);
  request->items = arrival.items;
  request->priority = arrival.priority;
  request->arrival = arrival.at;
  request->deadline = arrival.deadline;
  bool probe = false;
  if (scenario_.admission && !Admitted(id, &probe)) {
    record.turned_away = true;
    ++stats_.turned_away;
    return;
  }
  if (queue.empty() && running_[arrival.model] == 0) fair_share_.Join(view);
  const std::size_t held = queue.items();
  const bool fits = held + arrival.items <= view.limits.queue_capacity;
  const bool taken = queue.TryPush(request, now_, view.limits.patience, probe);
  Expect(taken == fits, "the queue's bound was not kept");
  Expect(taken == (request == nullptr), "ownership did not follow the result");
  if (taken) return;
  record.turned_away = true;
  ++stats_.turned_away;
}

bool Simulator::Admitted(std::size_t id, bool* probe) {
  const SimArrival& arrival = scenario_.arrivals[id];
  AdmitQuery query;
  query.items = arrival.items;
  query.priority = arrival.priority;
  query.deadline = arrival.deadline;
  const QueueView& view = views_[arrival.model];
  const bool may_probe =
      MayProbe(*queues_[arrival.model], running_[arrival.model], last_finish_[arrival.model], now_);
  const AdmissionQuery asked{view, lane_views_, views_, 0, query, now_, may_probe};
  const auto refusal = CheckAdmission(asked);
  *probe = !refusal && IsProbe(asked);
  if (*probe) ++stats_.probes;
  if (!refusal) return true;
  const bool overloaded = refusal->status.code() == StatusCode::kOverloaded;
  Expect(overloaded == (refusal->status.retry_after() > std::chrono::milliseconds(0)),
         "only a refusal for overload says when to come again, and each does");
  const bool about_time =
      refusal->reason == RefuseReason::kBacklog || refusal->reason == RefuseReason::kUnreachable;
  Expect(!about_time || arrival.deadline.IsSet(), "no deadline, and refused for being late");
  return false;
}

void Simulator::LaneDone(std::size_t lane, std::uint64_t id) {
  std::vector<LaneRun>& runs = lanes_[lane];
  const auto at =
      std::find_if(runs.begin(), runs.end(), [id](const LaneRun& run) { return run.id == id; });
  if (at == runs.end()) return;  // taken back by an outage
  LaneRun run = std::move(*at);
  runs.erase(at);
  RefreshLane(lane);
  --running_[run.model];
  last_finish_[run.model] = now_;
  FairShare::Finish(views_[run.model], run.expected, run.time);
  const bool poisoned = std::any_of(run.parts.begin(), run.parts.end(), [&](const Waiting& part) {
    return scenario_.arrivals[IdOf(part)].poison;
  });
  if (poisoned) return FailPoison(run);
  profiles_[run.model]->Learn(lane_views_[lane].device, run.run_items, run.time);
  Answer(run);
}

void Simulator::Answer(LaneRun& run) {
  for (const Waiting& part : run.parts) {
    const std::size_t id = IdOf(part);
    Record& record = records_[id];
    if (record.runs++ == 0) record.started = run.begins;
    EndItems(id, part.part.items, 0);
    if (record.answered != scenario_.arrivals[id].items) continue;
    ++stats_.answered;
    if (record.runs > 1) ++stats_.split;
    stats_.wait_ms_sum += ToMilliseconds(record.started - scenario_.arrivals[id].at);
    stats_.latency_ms_sum += ToMilliseconds(now_ - scenario_.arrivals[id].at);
  }
}

void Simulator::FailPoison(LaneRun& run) {
  if (run.items == 1) {
    const std::size_t id = IdOf(run.parts[0]);
    Expect(scenario_.arrivals[id].poison, "an innocent request failed");
    ++stats_.poison;
    return EndItems(id, 0, 1);
  }
  ++stats_.retried;
  auto [first, second] = Halve(std::move(run.parts));
  const Duration patience = views_[run.model].limits.patience;
  queues_[run.model]->PushBack(std::move(first), true, patience);
  queues_[run.model]->PushBack(std::move(second), true, patience);
}

void Simulator::BeginOutage(std::size_t device) {
  ++outages_[device];
  SetUsable(device);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (lane_views_[lane].device != device) continue;
    for (LaneRun& run : lanes_[lane]) {
      ++stats_.retried;
      --running_[run.model];
      FairShare::Finish(views_[run.model], run.expected, now_ - std::min(now_, run.begins));
      queues_[run.model]->PushBack(std::move(run.parts), true, views_[run.model].limits.patience);
    }
    lanes_[lane].clear();
    RefreshLane(lane);
  }
}

void Simulator::SetUsable(std::size_t device) {
  for (LaneView& lane : lane_views_) {
    if (lane.device == device) lane.usable = outages_[device] == 0;
  }
}

void Simulator::RefreshLane(std::size_t lane) {
  const std::vector<LaneRun>& runs = lanes_[lane];
  lane_views_[lane].running = runs.size();
  lane_views_[lane].free_at =
      runs.empty() ? TimePoint{} : runs.back().begins + runs.back().expected;
}

void Simulator::DecideUntilSettled() {
  while (!violation_) {
    const PolicyDecision decision = Decide({views_, lane_views_, now_, Draining(), passed_over_});
    for (const PolicyRefusal& refusal : decision.refusals) CheckRefusal(refusal);
    if (violation_) return;
    turn_was_due_ = std::any_of(passed_over_.begin(), passed_over_.end(),
                                [](std::uint32_t passed) { return passed + 1 >= kTurn; });
    refused_now_ = !decision.refusals.empty();
    shed_now_ = std::any_of(
        decision.refusals.begin(), decision.refusals.end(),
        [](const PolicyRefusal& refusal) { return refusal.reason == RefuseReason::kShed; });
    passed_over_ = decision.passed_over;
    for (const PolicyRefusal& refusal : decision.refusals) ApplyRefusal(refusal);
    if (decision.start) CheckStart(*decision.start);
    if (violation_) return;
    if (decision.start) ApplyStart(*decision.start);
    look_again_ = decision.look_again;
    if (decision.start || !decision.refusals.empty()) continue;
    CheckSettled(decision);
    return;
  }
}

void Simulator::ApplyRefusal(const PolicyRefusal& refusal) {
  const Waiting gone = queues_[refusal.queue]->Take(refusal.key);
  if (refusal.reason == RefuseReason::kShed) ++stats_.shed;
  EndItems(IdOf(gone), 0, gone.part.items);
}

void Simulator::ApplyStart(const PolicyStart& start) {
  LaneRun run;
  run.id = next_run_++;
  run.model = start.queue;
  run.items = start.items;
  run.run_items = start.run_items;
  for (const PolicyTake& take : start.takes) {
    run.parts.push_back(queues_[start.queue]->Take(take.key, take.items));
  }
  std::vector<LaneRun>& runs = lanes_[start.lane];
  const std::size_t device = lane_views_[start.lane].device;
  const AffineTime& time = scenario_.models[start.queue].times[device];
  const double stretch = 1 + scenario_.noise * std::uniform_real_distribution<>(0, 1)(noise_);
  const auto size = static_cast<double>(run.run_items);
  run.time = FromMilliseconds((time.base_ms + time.item_ms * size) * stretch);
  run.begins = runs.empty() ? now_ : std::max(now_, runs.back().begins + runs.back().time);
  run.expected = start.finish - std::max(now_, lane_views_[start.lane].free_at);
  fair_share_.Start(views_[start.queue], run.expected);
  views_[start.queue].last_served = ++starts_;
  ++running_[start.queue];
  ++stats_.batches;
  if (start.run_items > start.items) ++stats_.padded;
  AddEvent(run.begins + run.time, EventKind::kLaneDone, start.lane, run.id);
  runs.push_back(std::move(run));
  RefreshLane(start.lane);
}

std::size_t Simulator::IdOf(const Waiting& waiting) const {
  return static_cast<const SimRequest&>(*waiting.part.request).id();
}

void Simulator::EndItems(std::size_t id, std::size_t answered, std::size_t refused) {
  Record& record = records_[id];
  if (refused > 0 && record.refused == 0) ++stats_.refused;
  record.answered += answered;
  record.refused += refused;
  Expect(record.answered + record.refused <= scenario_.arrivals[id].items, "an item ended twice");
}

void Simulator::Expect(bool condition, const char* what) {
  if (condition || violation_) return;
  violation_ = std::string(what) + ", at " +
               std::to_string(ToMilliseconds(now_.time_since_epoch() - std::chrono::hours(1))) +
               " ms of seed " + std::to_string(scenario_.seed);
}

bool Simulator::Draining() const {
  return scenario_.drain && now_ >= scenario_.arrivals.back().at;
}

}  // namespace xcloud
