#include "tests/simulation/simulator.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace xcloud {

class Simulator::SimRequest final : public ScheduledRequest {
 public:
  SimRequest(std::size_t id, const Record& record) : id_(id), record_(record) {}
  std::size_t id() const { return id_; }
  bool Cancelled() const override { return record_.cancelled; }
  void Refuse(Status) override {}

 private:
  const std::size_t id_;
  const Record& record_;
};

Simulator::Simulator(const Scenario& scenario)
    : scenario_(scenario),
      noise_(scenario.seed),
      records_(scenario.arrivals.size()),
      waiting_(scenario.models.size()),
      lane_views_(scenario.lanes),
      lanes_(scenario.lanes.size()) {
  for (const SimModel& model : scenario.models) {
    queues_.push_back(std::make_unique<ModelQueue>(model.limits.queue_capacity));
    profiles_.push_back(std::make_unique<BatchProfile>(scenario.devices));
    views_.push_back({queues_.back().get(), profiles_.back().get(), model.limits, 0});
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
}

std::optional<std::string> Simulator::Run() {
  while (!violation_ && (!events_.empty() || look_again_ != TimePoint::max())) {
    if (events_.empty() || look_again_ < events_.top().at) {
      now_ = look_again_;
      DecideUntilSettled(/*timer_alone=*/!cancelled_since_decision_);
      continue;
    }
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    Handle(event);
  }
  for (const Record& record : records_) {
    Expect(record.state == State::kAnswered || record.state == State::kRefused ||
               record.state == State::kTurnedAway,
           "a request was lost");
  }
  return violation_;
}

void Simulator::AddEvent(TimePoint at, EventKind kind, std::size_t index) {
  events_.push({at, next_order_++, kind, index});
}

void Simulator::Handle(const Event& event) {
  switch (event.kind) {
    case EventKind::kCancel:
      // As in the shell: nobody wakes the policy for it.
      records_[event.index].cancelled = true;
      cancelled_since_decision_ = true;
      return;
    case EventKind::kArrive:
      Arrive(event.index);
      break;
    case EventKind::kLaneDone:
      LaneDone(event.index);
      break;
  }
  DecideUntilSettled(/*timer_alone=*/false);
}

void Simulator::Arrive(std::size_t id) {
  const SimArrival& arrival = scenario_.arrivals[id];
  Record& record = records_[id];
  ModelQueue& queue = *queues_[arrival.model];
  ScheduledRequestPtr request = std::make_unique<SimRequest>(id, record);
  request->items = arrival.items;
  request->priority = arrival.priority;
  request->arrival = arrival.at;
  request->deadline = arrival.deadline;
  std::size_t held = 0;
  for (const std::size_t other : waiting_[arrival.model]) held += scenario_.arrivals[other].items;
  const bool fits = held + arrival.items <= scenario_.models[arrival.model].limits.queue_capacity;
  const bool taken = queue.TryPush(request, now_);
  Expect(taken == fits, "the queue's bound was not kept");
  Expect(taken == (request == nullptr), "ownership did not follow the result");
  if (!taken) {
    Move(id, State::kUnborn, State::kTurnedAway);
    ++stats_.turned_away;
    return;
  }
  Move(id, State::kUnborn, State::kWaiting);
  record.enqueued = now_;
  record.sequence = next_order_++;
  waiting_[arrival.model].push_back(id);
}

void Simulator::LaneDone(std::size_t index) {
  Lane& lane = lanes_[index];
  lane_views_[index].busy = false;
  profiles_[lane.model]->Learn(lane_views_[index].device, lane.items, lane.time);
  for (const std::size_t id : lane.requests) {
    Move(id, State::kRunning, State::kAnswered);
    ++stats_.answered;
    stats_.wait_ms_sum += ToMilliseconds(records_[id].started - scenario_.arrivals[id].at);
    stats_.latency_ms_sum += ToMilliseconds(now_ - scenario_.arrivals[id].at);
  }
  lane.requests.clear();
}

void Simulator::DecideUntilSettled(bool timer_alone) {
  bool acted = false;
  while (!violation_) {
    const PolicyDecision decision = Decide({views_, lane_views_, now_, Draining()});
    cancelled_since_decision_ = false;
    for (const PolicyRefusal& refusal : decision.refusals) ApplyRefusal(refusal);
    look_again_ = decision.look_again;
    acted = acted || decision.start || !decision.refusals.empty();
    if (!decision.start) {
      CheckSettled(decision);
      break;
    }
    Expect(decision.look_again == now_, "after a start the policy is to be asked again at once");
    ApplyStart(*decision.start);
  }
  Expect(acted || !timer_alone, "woke at look_again for nothing");
}

void Simulator::ApplyRefusal(const PolicyRefusal& refusal) {
  const Waiting gone = queues_[refusal.queue]->Take(refusal.key);
  const std::size_t id = static_cast<const SimRequest&>(*gone.request).id();
  const bool expired = scenario_.arrivals[id].deadline.Expired(now_);
  Expect(expired ? refusal.reason == RefuseReason::kExpired
                 : refusal.reason == RefuseReason::kCancelled && records_[id].cancelled,
         "refused without cause");
  Move(id, State::kWaiting, State::kRefused);
  std::erase(waiting_[refusal.queue], id);
  ++stats_.refused;
}

void Simulator::ApplyStart(const PolicyStart& start) {
  const std::vector<std::size_t> order = InOrder(start.queue);
  CheckBatch(start, order);
  if (violation_) return;
  Lane& lane = lanes_[start.lane];
  lane.model = start.queue;
  lane.items = 0;
  std::size_t position = 0;
  for (const Waiting& taken : queues_[start.queue]->TakeFront(start.requests)) {
    const std::size_t id = static_cast<const SimRequest&>(*taken.request).id();
    Expect(id == order[position++], "the batch is not the head of its queue");
    Move(id, State::kWaiting, State::kRunning);
    records_[id].started = now_;
    std::erase(waiting_[start.queue], id);
    lane.items += scenario_.arrivals[id].items;
    lane.requests.push_back(id);
  }
  Expect(lane.items == start.items, "the batch does not hold what was said");
  lane_views_[start.lane].busy = true;
  views_[start.queue].last_served = ++starts_;
  const AffineTime& time = scenario_.models[start.queue].times[lane_views_[start.lane].device];
  const double stretch = 1 + scenario_.noise * std::uniform_real_distribution<>(0, 1)(noise_);
  lane.time =
      FromMilliseconds((time.base_ms + time.item_ms * static_cast<double>(lane.items)) * stretch);
  AddEvent(now_ + lane.time, EventKind::kLaneDone, start.lane);
  ++stats_.batches;
}

void Simulator::Expect(bool condition, const char* what) {
  if (condition || violation_) return;
  violation_ = std::string(what) + ", at " +
               std::to_string(ToMilliseconds(now_.time_since_epoch() - std::chrono::hours(1))) +
               " ms of seed " + std::to_string(scenario_.seed);
}

void Simulator::Move(std::size_t request, State from, State to) {
  Expect(records_[request].state == from, "a request ended twice, or ran after its end");
  records_[request].state = to;
}

bool Simulator::Draining() const {
  return scenario_.drain && now_ >= scenario_.arrivals.back().at;
}

}  // namespace xcloud
