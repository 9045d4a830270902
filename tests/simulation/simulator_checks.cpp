// What must hold after each decision, worked out anew from every waiting request.

#include <algorithm>
#include <tuple>

#include "tests/simulation/simulator.h"

namespace xcloud {

bool Simulator::AnyLaneFree() const {
  return std::any_of(lane_views_.begin(), lane_views_.end(),
                     [](const LaneView& lane) { return !lane.busy; });
}

Duration Simulator::FastestFree(std::size_t model, std::size_t items) const {
  Duration fastest = Duration::max();
  for (const LaneView& lane : lane_views_) {
    if (!lane.busy) fastest = std::min(fastest, profiles_[model]->Estimate(lane.device, items));
  }
  return fastest;
}

std::vector<std::size_t> Simulator::InOrder(std::size_t model) const {
  std::vector<std::size_t> order = waiting_[model];
  const auto key = [this](std::size_t id) {
    const SimArrival& arrival = scenario_.arrivals[id];
    return std::tuple(arrival.priority, arrival.deadline.when(), arrival.at, records_[id].sequence);
  };
  std::sort(order.begin(), order.end(),
            [&key](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

void Simulator::CheckBatch(const PolicyStart& start, const std::vector<std::size_t>& order) {
  Expect(start.lane < lane_views_.size() && !lane_views_[start.lane].busy,
         "a batch went to a busy lane");
  Expect(start.requests >= 1 && start.requests <= order.size(), "a batch of requests not there");
  Expect(start.items <= scenario_.models[start.queue].limits.max_batch, "batch over max_batch");
  if (violation_) return;
  for (std::size_t i = 0; i < start.requests; ++i) {
    Expect(!records_[order[i]].cancelled, "a cancelled request ran");
    Expect(!scenario_.arrivals[order[i]].deadline.Expired(now_), "an expired request ran");
  }
  CheckBatchSize(start, order);
  CheckNobodyIsBefore(start.queue, order[0]);
}

void Simulator::CheckBatchSize(const PolicyStart& start, const std::vector<std::size_t>& order) {
  const BatchProfile& profile = *profiles_[start.queue];
  const std::size_t device = lane_views_[start.lane].device;
  const auto finish = [&](std::size_t items) { return now_ + profile.Estimate(device, items); };
  // Requests that a batch ending with them would still meet: nobody after may make them late.
  std::vector<TimePoint> kept;
  std::size_t items = 0;
  for (std::size_t i = 0; i < start.requests; ++i) {
    items += scenario_.arrivals[order[i]].items;
    const TimePoint deadline = scenario_.arrivals[order[i]].deadline.when();
    if (finish(items) <= deadline) kept.push_back(deadline);
  }
  const auto makes_late = [&](std::size_t size) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](TimePoint deadline) { return finish(size) > deadline; });
  };
  Expect(!makes_late(items), "the batch makes a request late that could have been met");
  // The next that lives did not fit, or would have made somebody late.
  const auto next =
      std::find_if(order.begin() + static_cast<std::ptrdiff_t>(start.requests), order.end(),
                   [&](std::size_t id) { return !records_[id].cancelled; });
  if (next == order.end()) return;
  const std::size_t grown = items + scenario_.arrivals[*next].items;
  const bool fits = grown <= scenario_.models[start.queue].limits.max_batch;
  Expect(!fits || makes_late(grown), "the batch left out a request that would have fitted");
  Expect(start.reason == (fits ? CloseReason::kDeadline : CloseReason::kFull),
         "the batch was closed for another reason than it says");
}

void Simulator::CheckNobodyIsBefore(std::size_t model, std::size_t head) {
  const auto rank = [this](std::size_t id) {
    const SimArrival& arrival = scenario_.arrivals[id];
    return std::tuple(arrival.priority, arrival.deadline.when(), arrival.at);
  };
  for (std::size_t other = 0; other < waiting_.size(); ++other) {
    const bool keeps_delay = scenario_.models[other].limits.max_queue_delay > Duration::zero();
    if (other == model || (keeps_delay && !Draining())) continue;
    for (const std::size_t id : InOrder(other)) {
      if (records_[id].cancelled) continue;
      Expect(rank(head) <= rank(id), "a request of another model was before this one");
      Expect(rank(head) != rank(id) || views_[model].last_served <= views_[other].last_served,
             "a tie did not go to the least recently served");
      break;
    }
  }
}

TimePoint Simulator::DelayEndsAt(std::size_t model) {
  TimePoint ends_at = TimePoint::max();
  TimePoint tightest = TimePoint::max();
  std::size_t items = 0;
  const Duration delay = scenario_.models[model].limits.max_queue_delay;
  for (const std::size_t id : waiting_[model]) {
    ends_at = std::min(ends_at, records_[id].enqueued + delay);
    tightest = std::min(tightest, scenario_.arrivals[id].deadline.when());
    items += scenario_.arrivals[id].items;
  }
  Expect(delay > Duration::zero() && !Draining(), "a request waits, no delay, and a lane is free");
  Expect(items < scenario_.models[model].limits.max_batch, "a full batch waits and a lane is free");
  if (tightest == TimePoint::max()) return ends_at;
  return std::min(ends_at, tightest - FastestFree(model, items));
}

void Simulator::CheckSettled(const PolicyDecision& decision) {
  TimePoint due = TimePoint::max();
  for (std::size_t model = 0; model < waiting_.size(); ++model) {
    if (waiting_[model].empty()) continue;
    for (const std::size_t id : waiting_[model]) {
      due = std::min(due, scenario_.arrivals[id].deadline.when());
    }
    if (AnyLaneFree()) due = std::min(due, DelayEndsAt(model));
  }
  Expect(due > now_, "something is due now and was not done");
  Expect(decision.look_again == due, "look_again is not the first instant that something is due");
}

}  // namespace xcloud
