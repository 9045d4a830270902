#include "scheduler/policy.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace xcloud {
namespace {

using Position = ModelQueue::PriorityClass::const_iterator;

// A queue as this decision sees it: what is left after the refusals of step 1.
struct Candidate {
  std::size_t queue = 0;
  std::array<Position, ModelQueue::kClasses> heads;  // first request of each class that is left
  const WaitingKey* first = nullptr;                 // of all classes; null = nothing is left
  TimePoint earliest_deadline = TimePoint::max();
  std::size_t items = 0;
  CloseReason reason = CloseReason::kIdleLane;
};

struct LaneChoice {
  std::size_t lane = 0;
  Duration time{};
};

bool AnyLaneFree(const PolicyInput& input) {
  return std::any_of(input.lanes.begin(), input.lanes.end(),
                     [](const LaneView& lane) { return !lane.busy; });
}

// REQUIRES: a lane is free.
LaneChoice FastestLane(const PolicyInput& input, const QueueView& queue, std::size_t items) {
  std::optional<LaneChoice> best;
  std::optional<std::size_t> last_device;  // lanes of one device are neighbours: ask once
  for (std::size_t i = 0; i < input.lanes.size(); ++i) {
    const LaneView& lane = input.lanes[i];
    if (lane.busy || last_device == lane.device) continue;
    last_device = lane.device;
    const Duration time = queue.profile->Estimate(lane.device, items);
    if (!best || time < best->time) best = LaneChoice{i, time};
  }
  return *best;
}

// Step 1. Refuses what is over at the head of each class, and finds what is left.
Candidate Sweep(const PolicyInput& input, std::size_t index, PolicyDecision& decision) {
  const ModelQueue& waiting = *input.queues[index].waiting;
  Candidate found;
  found.queue = index;
  found.items = waiting.items();
  for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
    const ModelQueue::PriorityClass& in_class = waiting.InClass(c);
    Position at = in_class.begin();
    for (; at != in_class.end(); ++at) {
      const bool expired = at->first.deadline <= input.now;
      if (!expired && !at->second.request->Cancelled()) break;
      decision.refusals.push_back(
          {index, at->first, expired ? RefuseReason::kExpired : RefuseReason::kCancelled});
      found.items -= at->second.request->items;
    }
    found.heads[c] = at;
    if (at == in_class.end()) continue;
    if (found.first == nullptr) found.first = &at->first;
    found.earliest_deadline = std::min(found.earliest_deadline, at->first.deadline);
  }
  return found;
}

// Step 2. When the candidate may leave; sets why.
TimePoint ReadyAt(const PolicyInput& input, Candidate& candidate) {
  const QueueView& queue = input.queues[candidate.queue];
  const Duration delay = queue.limits.max_queue_delay;
  if (delay <= Duration::zero() || candidate.items >= queue.limits.max_batch) return input.now;
  if (input.draining) {
    candidate.reason = CloseReason::kDrain;
    return input.now;
  }
  // Fewer than max_batch items wait here, so this walk is no longer than the batch.
  TimePoint oldest = TimePoint::max();
  for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
    const Position end = queue.waiting->InClass(c).end();
    for (Position at = candidate.heads[c]; at != end; ++at) {
      oldest = std::min(oldest, at->second.enqueued);
    }
  }
  candidate.reason = CloseReason::kDelay;
  TimePoint ready_at = oldest + delay;
  if (candidate.earliest_deadline != TimePoint::max()) {
    const TimePoint budget_end =
        candidate.earliest_deadline - FastestLane(input, queue, candidate.items).time;
    if (budget_end < ready_at) {
      ready_at = budget_end;
      candidate.reason = CloseReason::kDeadline;
    }
  }
  return ready_at;
}

// Step 3.
bool GoesBefore(const PolicyInput& input, const Candidate& a, const Candidate& b) {
  const auto rank = [&](const Candidate& c) {
    return std::tie(c.first->priority, c.first->deadline, c.first->arrival,
                    input.queues[c.queue].last_served);
  };
  return rank(a) < rank(b);
}

// Steps 4 and 5.
PolicyStart Form(const PolicyInput& input, const Candidate& candidate, PolicyDecision& decision) {
  const QueueView& queue = input.queues[candidate.queue];
  const std::size_t max_batch = queue.limits.max_batch;
  PolicyStart start;
  start.queue = candidate.queue;
  start.reason = candidate.reason;
  start.lane = FastestLane(input, queue, std::min(candidate.items, max_batch)).lane;
  const std::size_t device = input.lanes[start.lane].device;
  // The earliest deadline of the batch that can be met; late ones bind nobody.
  TimePoint tightest = TimePoint::max();
  for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
    const Position end = queue.waiting->InClass(c).end();
    for (Position at = candidate.heads[c]; at != end; ++at) {
      if (start.items == max_batch) {
        start.reason = CloseReason::kFull;
        return start;
      }
      // The candidate's first was looked at already; asking again could leave an empty batch.
      if (start.requests > 0 && at->second.request->Cancelled()) {
        decision.refusals.push_back({candidate.queue, at->first, RefuseReason::kCancelled});
        continue;
      }
      const std::size_t grown = start.items + at->second.request->items;
      const TimePoint finish = input.now + queue.profile->Estimate(device, grown);
      if (start.requests > 0 && (grown > max_batch || finish > tightest)) {
        start.reason = grown > max_batch ? CloseReason::kFull : CloseReason::kDeadline;
        return start;
      }
      start.items = grown;
      ++start.requests;
      if (finish <= at->first.deadline) tightest = std::min(tightest, at->first.deadline);
    }
  }
  if (start.items == max_batch) start.reason = CloseReason::kFull;
  return start;
}

}  // namespace

PolicyDecision Decide(const PolicyInput& input) {
  PolicyDecision decision;
  const bool lane_free = AnyLaneFree(input);
  std::optional<Candidate> best;
  for (std::size_t i = 0; i < input.queues.size(); ++i) {
    if (input.queues[i].waiting->size() == 0) continue;
    Candidate candidate = Sweep(input, i, decision);
    if (candidate.first == nullptr) continue;
    decision.look_again = std::min(decision.look_again, candidate.earliest_deadline);
    if (!lane_free) continue;
    const TimePoint ready_at = ReadyAt(input, candidate);
    if (ready_at > input.now) {
      decision.look_again = std::min(decision.look_again, ready_at);
    } else if (!best || GoesBefore(input, candidate, *best)) {
      best = candidate;
    }
  }
  if (best) {
    decision.start = Form(input, *best, decision);
    decision.look_again = input.now;
  }
  return decision;
}

}  // namespace xcloud
