#include "bench/policies/window_policy.h"

#include <algorithm>

namespace xcloud {

WindowPolicy::WindowPolicy(const Scenario& scenario, const WindowRules& rules)
    : rules_(rules), queues_(scenario.models), busy_(scenario.lanes) {}

bool WindowPolicy::Admit(const SimRequest& request, TimePoint /*now*/) {
  queues_[request.model].push_back(request);
  return true;
}

SimAct WindowPolicy::Decide(TimePoint now) {
  SimAct act;
  const std::optional<std::size_t> lane = FreeLane();
  if (!lane.has_value()) return act;
  if (rules_.drop_expired) DropExpired(now, act);
  Queue* first = nullptr;
  for (Queue& queue : queues_) {
    if (queue.empty()) continue;
    if (!Ready(queue, now)) {
      act.look_again = std::min(act.look_again, queue.front().arrival + rules_.delay);
    } else if (first == nullptr || queue.front().id < first->front().id) {
      first = &queue;
    }
  }
  if (first == nullptr) return act;
  SimStart& start = act.start.emplace();
  start.lane = *lane;
  start.model = first->front().model;
  start.run_items = std::min(first->size(), rules_.max_batch);
  for (std::size_t i = 0; i < start.run_items; ++i) {
    start.ids.push_back(first->front().id);
    first->pop_front();
  }
  busy_[*lane] = true;
  return act;
}

void WindowPolicy::Finished(const SimStart& batch, Duration /*elapsed*/, TimePoint /*now*/) {
  busy_[batch.lane] = false;
}

// One SLO for all, so the oldest expires first.
void WindowPolicy::DropExpired(TimePoint now, SimAct& act) {
  for (Queue& queue : queues_) {
    while (!queue.empty() && queue.front().deadline <= now) {
      act.dropped.push_back(queue.front().id);
      queue.pop_front();
    }
  }
}

bool WindowPolicy::Ready(const Queue& queue, TimePoint now) const {
  return queue.size() >= rules_.max_batch || queue.front().arrival + rules_.delay <= now;
}

std::optional<std::size_t> WindowPolicy::FreeLane() const {
  const auto found = std::find(busy_.begin(), busy_.end(), false);
  if (found == busy_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - busy_.begin());
}

}  // namespace xcloud
