// What must hold at each decision, worked out anew from every waiting part.

#include <algorithm>
#include <set>

#include "tests/simulation/simulator.h"

namespace xcloud {

TimePoint Simulator::FinishOn(std::size_t lane, std::size_t model, std::size_t items) const {
  const LaneView& view = lane_views_[lane];
  const std::size_t max_batch = views_[model].limits.max_batch;
  const Duration cost = profiles_[model]->Cost(view.device, std::min(items, max_batch), max_batch);
  if (cost == Duration::zero()) return now_;  // not known: hopeful
  const TimePoint begins = view.running == 0 ? now_ : std::max(now_, view.free_at);
  return begins + cost + kReplyMargin;
}

bool Simulator::IsOver(std::size_t model, const WaitingKey& key, const Waiting& waiting) const {
  if (waiting.part.request->Cancelled()) return true;
  if (!waiting.part.request->deadline.IsSet()) return false;
  if (key.due <= now_) return true;
  if (waiting.probe) return false;
  Duration fastest = Duration::max();
  for (const LaneView& lane : lane_views_) {
    const std::size_t max_batch = views_[model].limits.max_batch;
    const std::size_t items = std::min(waiting.part.items, max_batch);
    if (lane.usable) {
      fastest = std::min(fastest, profiles_[model]->Cost(lane.device, items, max_batch));
    }
  }
  if (fastest == Duration::max() || fastest == Duration::zero()) return false;
  return now_ + fastest + kReplyMargin > key.due;
}

bool Simulator::FitsSomeIdleLane(std::size_t model, const WaitingKey& key,
                                 const Waiting& waiting) const {
  return FitsSomeLane(model, key, waiting, 1);
}

// Whether it could be run alone, in time, on a lane that holds less than `room` batches.
bool Simulator::FitsSomeLane(std::size_t model, const WaitingKey& key, const Waiting& waiting,
                             std::size_t room) const {
  for (std::size_t lane = 0; lane < lane_views_.size(); ++lane) {
    if (!lane_views_[lane].usable || lane_views_[lane].running >= room) continue;
    if (!waiting.part.request->deadline.IsSet() || waiting.probe) return true;
    if (FinishOn(lane, model, waiting.part.items) <= key.due) return true;
  }
  return false;
}

// Whether its model may keep it waiting for a fuller batch.
bool Simulator::Holds(std::size_t model) const {
  const BatchLimits& limits = views_[model].limits;
  return (limits.max_queue_delay > Duration::zero() || limits.defer) && !Draining();
}

void Simulator::CheckRefusal(const PolicyRefusal& refusal) {
  const Waiting& waiting = queues_[refusal.queue]->At(refusal.key);
  const bool expired = waiting.part.request->deadline.IsSet() && refusal.key.due <= now_;
  switch (refusal.reason) {
    case RefuseReason::kExpired:
      return Expect(expired, "refused as expired, and is not");
    case RefuseReason::kCancelled:
      return Expect(waiting.part.request->Cancelled(), "refused as cancelled, and is not");
    case RefuseReason::kLate:
      return Expect(!expired && IsOver(refusal.queue, refusal.key, waiting),
                    "refused as late, and could have been met");
    case RefuseReason::kShed:
      Expect(waiting.part.request->deadline.IsSet(), "shed without a deadline");
      return Expect(queues_[refusal.queue]->items() >= 2, "shed from a short queue");
    default:
      return Expect(false, "refused for a reason that is not the policy's");
  }
}

void Simulator::CheckStart(const PolicyStart& start) {
  const LaneView& lane = lane_views_[start.lane];
  Expect(lane.usable && lane.running < lane.depth, "a batch went to a lane without room");
  Expect(!start.takes.empty() && start.items <= views_[start.queue].limits.max_batch,
         "an empty batch, or one over max_batch");
  Expect(start.run_items >= start.items &&
             start.run_items <= std::max(start.items, views_[start.queue].limits.max_batch),
         "padded beyond max_batch");
  Expect(lane.running == 0 || start.reason == CloseReason::kFull ||
             start.reason == CloseReason::kDeadline || start.reason == CloseReason::kRetry,
         "a batch that can still grow was bound to a busy lane");
  std::size_t items = 0;
  std::uint32_t group = queues_[start.queue]->At(start.takes[0].key).group;
  for (const PolicyTake& take : start.takes) {
    const Waiting& waiting = queues_[start.queue]->At(take.key);
    items += take.items;
    Expect(!IsOver(start.queue, take.key, waiting), "a request ran that is over");
    Expect(waiting.group == group, "parts of a failed batch ran with others");
    const bool bound = waiting.part.request->deadline.IsSet() && !waiting.probe;
    const std::size_t least = group != 0 ? take.items : start.items;
    Expect(!bound || FinishOn(start.lane, start.queue, least) <= take.key.due,
           "the batch makes a request late");
  }
  Expect(items == start.items, "the batch does not hold what was said");
  if (group == 0) {
    CheckOrder(start);
    CheckLeftOut(start);
  }
  CheckNobodyIsBefore(start);
  CheckTurn(start);
}

// In order, but for a turn's priority, which comes first.
void Simulator::CheckOrder(const PolicyStart& start) {
  const Priority first = start.takes[0].key.priority;
  for (std::size_t i = 1; i < start.takes.size(); ++i) {
    const WaitingKey& before = start.takes[i - 1].key;
    const WaitingKey& after = start.takes[i].key;
    const bool turn_over = before.priority == first && after.priority != first;
    Expect(turn_over || before < after, "the batch is not in order");
  }
}

// Whoever comes before the last one taken and was left out had a reason, and the next one did not
// fit or would have made somebody late.
void Simulator::CheckLeftOut(const PolicyStart& start) {
  const Priority first = start.takes[0].key.priority;
  const auto position = [first](const WaitingKey& key) {
    return std::pair(key.priority != first, key);
  };
  std::set<std::uint64_t> taken;
  TimePoint tightest = TimePoint::max();
  for (const PolicyTake& take : start.takes) {
    taken.insert(take.key.sequence);
    const Waiting& waiting = queues_[start.queue]->At(take.key);
    const bool bound = waiting.part.request->deadline.IsSet() && !waiting.probe;
    if (bound) tightest = std::min(tightest, take.key.due);
  }
  const WaitingKey& last = start.takes.back().key;
  const std::size_t max_batch = views_[start.queue].limits.max_batch;
  std::optional<std::pair<bool, WaitingKey>> next;
  for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
    for (const auto& [key, waiting] : queues_[start.queue]->InClass(c)) {
      if (taken.count(key.sequence) != 0 || waiting.group != 0) continue;
      if (IsOver(start.queue, key, waiting)) continue;
      const bool bound = waiting.part.request->deadline.IsSet() && !waiting.probe;
      if (bound && FinishOn(start.lane, start.queue, waiting.part.items) > key.due) continue;
      const auto at = position(key);
      Expect(position(last) < at, "somebody in front was left out");
      if (!next || at < *next) next = at;
    }
  }
  if (!next || start.items == max_batch) return;
  const Waiting& waiting = queues_[start.queue]->At(next->second);
  const std::size_t least = waiting.part.items > max_batch ? 1 : waiting.part.items;
  if (start.items + least > max_batch) return;
  const TimePoint due =
      waiting.part.request->deadline.IsSet() ? next->second.due : TimePoint::max();
  const TimePoint limit = std::min(tightest, due);
  const TimePoint finish = FinishOn(start.lane, start.queue, start.items + least);
  // What the decision refused may have been the one that had to be met.
  Expect(finish > limit || MakesOthersLate(start, finish) || refused_now_,
         "the batch left out a request that would have fitted");
}

// Whether another model's earliest deadline could not be met after a batch that is done then.
bool Simulator::MakesOthersLate(const PolicyStart& start, TimePoint finish) const {
  for (std::size_t other = 0; other < views_.size(); ++other) {
    const auto& deadlines = queues_[other]->deadlines();
    if (other == start.queue || deadlines.empty()) continue;
    const auto& [deadline, key] = *deadlines.begin();
    const std::size_t items = queues_[other]->At(key).part.items;
    if (finish + FastestCost(lane_views_, views_[other], items) > deadline) return true;
  }
  return false;
}

void Simulator::CheckNobodyIsBefore(const PolicyStart& start) {
  const WaitingKey& head = start.takes[0].key;
  // With a turn due, the queue was chosen for another priority than its first part may have.
  // And one that was chosen for its head may then have shed it.
  if (turn_was_due_ || shed_now_) return;
  // The queue was chosen for its first part; a slow lane may have had to take a later one.
  for (const auto& [key, waiting] :
       queues_[start.queue]->InClass(ModelQueue::ClassOf(head.priority))) {
    if (IsOver(start.queue, key, waiting)) continue;
    if (!(key == head)) return;
    break;
  }
  const auto latest_start = [this](std::size_t model, const WaitingKey& key) {
    const std::size_t items = queues_[model]->At(key).part.items;
    return key.due - FastestCost(lane_views_, views_[model], items);
  };
  for (std::size_t other = 0; other < views_.size(); ++other) {
    if (other == start.queue || Holds(other)) continue;
    if (views_[other].lane_time > views_[start.queue].lane_time) continue;  // may be ahead
    for (const auto& [key, waiting] : queues_[other]->InClass(ModelQueue::ClassOf(head.priority))) {
      if (waiting.group != 0 || !FitsSomeIdleLane(other, key, waiting)) break;
      if (IsOver(other, key, waiting)) continue;
      const bool window = views_[start.queue].lane_time <= views_[other].lane_time + kFairWindow;
      Expect(window || lane_views_[start.lane].running > 0,
             "a model far ahead in lane time was served before one that waits");
      Expect(latest_start(start.queue, head) <= latest_start(other, key) ||
                 queues_[start.queue]->At(head).group != 0 || lane_views_[start.lane].running > 0 ||
                 views_[other].lane_time != views_[start.queue].lane_time,
             "a request of another model had to start before this one");
      break;
    }
  }
}

void Simulator::CheckTurn(const PolicyStart& start) {
  std::array<bool, ModelQueue::kClasses> served{};
  for (const PolicyTake& take : start.takes) {
    served[ModelQueue::ClassOf(take.key.priority)] = true;
  }
  for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
    bool ready = false;
    for (std::size_t model = 0; model < views_.size(); ++model) {
      if (Holds(model)) continue;
      for (const auto& [key, waiting] : queues_[model]->InClass(c)) {
        if (IsOver(model, key, waiting)) continue;
        // Also one that holds a batch already: full batches taken ahead must not keep it busy.
        ready = ready || FitsSomeLane(model, key, waiting, lane_views_[start.lane].running + 1);
        break;
      }
    }
    // The most urgent needs no turns: it is passed over only for those of the others.
    in_a_row_[c] = ready && !served[c] ? in_a_row_[c] + 1 : 0;
    Expect(in_a_row_[c] <= kTurn + 1, "a priority was passed over for too long");
  }
}

void Simulator::CheckSettled(const PolicyDecision& decision) {
  Expect(decision.look_again > now_, "asked to look again at once, having done nothing");
  for (std::size_t model = 0; model < views_.size(); ++model) {
    const auto& deadlines = queues_[model]->deadlines();
    if (!deadlines.empty()) {
      const auto& [deadline, key] = *deadlines.begin();
      Expect(!IsOver(model, key, queues_[model]->At(key)), "something is over and still waits");
      Expect(decision.look_again <= deadline, "would sleep past a deadline");
    }
    const BatchLimits& limits = views_[model].limits;
    for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
      for (const auto& [key, waiting] : queues_[model]->InClass(c)) {
        if (IsOver(model, key, waiting)) continue;
        if (!FitsSomeIdleLane(model, key, waiting)) continue;
        Expect(Holds(model), "a request waits, no delay, and a lane is free");
        Expect(queues_[model]->items() < limits.max_batch, "a full batch waits and a lane is free");
        const bool delayed = limits.max_queue_delay > Duration::zero();
        Expect(!delayed || waiting.enqueued + limits.max_queue_delay > now_,
               "a request waits beyond the delay and a lane is free");
        Expect(delayed || !deadlines.empty(), "deferred, and nobody has a deadline");
      }
    }
  }
}

}  // namespace xcloud
