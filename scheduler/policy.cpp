#include "scheduler/policy.h"

#include <algorithm>
#include <tuple>

#include "scheduler/policy_batch.h"

namespace xcloud {
namespace {

using Entry = ModelQueue::PriorityClass::value_type;

// A queue as this decision sees it: what is left after the refusals of step 1.
struct Candidate {
  std::size_t queue = 0;
  std::array<const Entry*, ModelQueue::kClasses> heads{};  // null = nothing is left in the class
  std::size_t items = 0;
  TimePoint over_at = TimePoint::max();  // when the earliest deadline's request is to be refused
  TimePoint earliest_deadline = TimePoint::max();
  Duration own_cost{};  // of one item, on the fastest device
  CloseReason reason = CloseReason::kIdleLane;
};

class Decider {
 public:
  explicit Decider(const PolicyInput& input) : input_(input) {
    decision_.passed_over = input.passed_over;
    ready_.reserve(input.queues.size());
    for (const LaneView& lane : input.lanes) {
      idle_ = idle_ || lane.Idle();
      open_ = open_ || lane.HasRoom();
    }
  }

  PolicyDecision Run() {
    for (std::size_t i = 0; i < input_.queues.size(); ++i) {
      if (!input_.queues[i].waiting->empty()) Look(i);
    }
    // Cut short, the sweep may have missed heads: the next decision sees them.
    if (decision_.refusals.size() < kMaxRefusals) StartOne();
    if (decision_.start || !decision_.refusals.empty()) decision_.look_again = input_.now;
    return std::move(decision_);
  }

 private:
  void Look(std::size_t index) {
    const QueueView& queue = input_.queues[index];
    Candidate found;
    found.queue = index;
    found.items = queue.waiting->items();
    found.own_cost = FastestCost(input_.lanes, queue, 1);
    SweepDeadlines(queue, found);
    SweepHeads(queue, found);
    const bool left = std::any_of(found.heads.begin(), found.heads.end(),
                                  [](const Entry* head) { return head != nullptr; });
    if (!left) return;
    decision_.look_again = std::min(decision_.look_again, found.over_at);
    NoteTightest(index, found.over_at);
    if (!idle_ && !open_) return;
    const TimePoint ready_at = ReadyAt(queue, found);
    if (ready_at > input_.now) {
      decision_.look_again = std::min(decision_.look_again, ready_at);
    } else {
      ready_.push_back(found);
    }
  }

  Duration OwnCost(const QueueView& queue, const Candidate& found, const Waiting& waiting) const {
    const std::size_t items = std::min(waiting.part.items, queue.limits.max_batch);
    return items == 1 ? found.own_cost : FastestCost(input_.lanes, queue, items);
  }

  // Step 1, by deadline.
  void SweepDeadlines(const QueueView& queue, Candidate& found) {
    for (const auto& [deadline, key] : queue.waiting->deadlines()) {
      const Waiting& waiting = queue.waiting->At(key);
      const Duration own = OwnCost(queue, found, waiting);
      const auto why = WhyOver(key, waiting, own, input_.now);
      if (!why) {
        found.earliest_deadline = deadline;
        // The first instant at which WhyOver would say so.
        const bool will_be_late = own > Duration::zero() && !waiting.probe;
        found.over_at = will_be_late ? deadline - own - kReplyMargin + Duration(1) : deadline;
        return;
      }
      if (!Refuse(found, key, waiting, *why)) {
        found.over_at = input_.now;
        return;
      }
    }
  }

  // Step 1, at the head of each class; finds the heads that are left.
  void SweepHeads(const QueueView& queue, Candidate& found) {
    for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
      for (const Entry& entry : queue.waiting->InClass(c)) {
        const auto& [key, waiting] = entry;
        if (IsRefused(found.queue, key)) continue;
        const auto why = WhyOver(key, waiting, OwnCost(queue, found, waiting), input_.now);
        if (!why) {
          found.heads[c] = &entry;
          break;
        }
        if (!Refuse(found, key, waiting, *why)) return;
      }
    }
  }

  // False when this decision has refused enough.
  bool Refuse(Candidate& found, const WaitingKey& key, const Waiting& waiting,
              RefuseReason reason) {
    if (decision_.refusals.size() >= kMaxRefusals) return false;
    decision_.refusals.push_back({found.queue, key, reason});
    found.items -= waiting.part.items;
    return true;
  }

  bool IsRefused(std::size_t queue, const WaitingKey& key) const {
    return std::any_of(decision_.refusals.rbegin(), decision_.refusals.rend(),
                       [&](const PolicyRefusal& r) { return r.queue == queue && r.key == key; });
  }

  // Step 2. When the candidate may leave; sets why.
  TimePoint ReadyAt(const QueueView& queue, Candidate& found) {
    const BatchLimits& limits = queue.limits;
    const bool holds = limits.max_queue_delay > Duration::zero() || limits.defer;
    if (!holds || found.items >= limits.max_batch) return input_.now;
    if (input_.draining) {
      found.reason = CloseReason::kDrain;
      return input_.now;
    }
    TimePoint ready_at = input_.now;
    if (limits.max_queue_delay > Duration::zero()) {
      found.reason = CloseReason::kDelay;
      ready_at = OldestOf(*queue.waiting) + limits.max_queue_delay;
    } else if (found.earliest_deadline != TimePoint::max()) {
      ready_at = TimePoint::max();
    }
    if (found.earliest_deadline != TimePoint::max()) {
      // One item more than there are, when deferring: until it comes, waiting costs nothing.
      const std::size_t items = std::min(found.items + (limits.defer ? 1 : 0), limits.max_batch);
      const TimePoint budget_end =
          found.earliest_deadline - FastestCost(input_.lanes, queue, items) - kReplyMargin;
      if (budget_end < ready_at) {
        ready_at = budget_end;
        found.reason = CloseReason::kDeadline;
      }
    }
    return ready_at;
  }

  // Fewer than max_batch items wait where this is asked, so the walk is no longer than the batch.
  static TimePoint OldestOf(const ModelQueue& waiting) {
    TimePoint oldest = TimePoint::max();
    for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) {
      for (const auto& [key, one] : waiting.InClass(c)) oldest = std::min(oldest, one.enqueued);
    }
    return oldest;
  }

  bool AnyHead(std::size_t c) const {
    return std::any_of(ready_.begin(), ready_.end(),
                       [c](const Candidate& candidate) { return candidate.heads[c] != nullptr; });
  }

  // Step 3. REQUIRES: a head is left.
  std::size_t ClassInTurn() const {
    for (std::size_t c = ModelQueue::kClasses; c-- > 1;) {
      if (input_.passed_over[c] + 1 >= kTurn && AnyHead(c)) return c;
    }
    std::size_t c = 0;
    while (c + 1 < ModelQueue::kClasses && !AnyHead(c)) ++c;
    return c;
  }

  // Step 4. REQUIRES: a head is left in the class.
  Candidate* First(std::size_t c) {
    Duration least = Duration::max();
    for (const Candidate& candidate : ready_) {
      if (candidate.heads[c] == nullptr) continue;
      least = std::min(least, input_.queues[candidate.queue].lane_time);
    }
    const auto rank = [&](const Candidate& candidate) {
      const QueueView& queue = input_.queues[candidate.queue];
      const auto& [key, waiting] = *candidate.heads[c];
      const std::size_t items = std::min(waiting.part.items, queue.limits.max_batch);
      const bool ahead = queue.lane_time > least + kFairWindow;
      const Duration cost =
          items == 1 ? candidate.own_cost : FastestCost(input_.lanes, queue, items);
      const TimePoint starts = key.due - cost;
      return std::tuple(ahead, starts, key.arrival, queue.last_served);
    };
    Candidate* first = nullptr;
    std::tuple<bool, TimePoint, TimePoint, std::uint64_t> first_rank;
    for (Candidate& candidate : ready_) {
      if (candidate.heads[c] == nullptr) continue;
      const auto candidate_rank = rank(candidate);
      if (first != nullptr && first_rank <= candidate_rank) continue;
      first = &candidate;
      first_rank = candidate_rank;
    }
    return first;
  }

  void StartOne() {
    for (std::size_t c = 0; c < ModelQueue::kClasses; ++c) had_head_[c] = AnyHead(c);
    while (!decision_.start) {
      const bool left = AnyHead(0) || AnyHead(1) || AnyHead(2);
      if (!left) return;
      const std::size_t c = ClassInTurn();
      Candidate* const candidate = First(c);
      // A lane that runs takes only full batches ahead. When the one in turn has none, the lane is
      // left to become idle for it: others' full batches would keep it busy for ever.
      if (!idle_ && candidate->items < input_.queues[candidate->queue].limits.max_batch) return;
      StartFrom(*candidate, c);
      if (decision_.start) {
        CountTurn(c);
      } else {
        candidate->heads[c] = nullptr;  // only a faster device, which is busy, can make it
      }
    }
  }

  // Step 5: places in the order in which they would be done with the batch.
  void StartFrom(const Candidate& candidate, std::size_t c) {
    const QueueView& queue = input_.queues[candidate.queue];
    const std::size_t items = std::min(candidate.items, queue.limits.max_batch);
    places_.clear();
    AddPlaces(queue, items, /*idle=*/true);
    const bool ahead = places_.empty();
    if (ahead && candidate.items >= queue.limits.max_batch) {
      AddPlaces(queue, items, /*idle=*/false);
    }
    BatchFormer former(input_, candidate.queue, c, OthersStartBy(candidate.queue),
                       decision_.refusals);
    for (const auto& [finish, place] : places_) {
      std::optional<PolicyStart> start = former.Form(place, candidate.reason);
      // The walk may have met some that are over: what is left can still grow.
      if (!start || (ahead && start->reason == candidate.reason)) continue;
      // Nor may a lane that is too slow for its turn's priority take less urgent ones instead of
      // another queue's.
      const WaitingKey& first = start->takes.front().key;
      const std::uint32_t group = candidate.heads[c]->second.group;  // goes as it is
      const bool of_turn = ModelQueue::ClassOf(first.priority) == c ||
                           (group != 0 && queue.waiting->At(first).group == group);
      if (!of_turn) continue;
      decision_.start = std::move(start);
      return;
    }
  }

  // Of the queues but one: when its tightest request must start.
  TimePoint OthersStartBy(std::size_t queue) const {
    return tightest_.queue == queue ? second_tightest_ : tightest_.start_by;
  }
  void NoteTightest(std::size_t queue, TimePoint start_by) {
    if (start_by < tightest_.start_by) {
      second_tightest_ = tightest_.start_by;
      tightest_ = {queue, start_by};
    } else {
      second_tightest_ = std::min(second_tightest_, start_by);
    }
  }

  void AddPlaces(const QueueView& queue, std::size_t items, bool idle) {
    std::optional<std::size_t> last_device;  // idle lanes of one device are alike: take the first
    for (std::size_t i = 0; i < input_.lanes.size(); ++i) {
      const LaneView& lane = input_.lanes[i];
      if (!(idle ? lane.Idle() : lane.HasRoom()) || (idle && last_device == lane.device)) continue;
      last_device = lane.device;
      const TimePoint begins = idle ? input_.now : std::max(input_.now, lane.free_at);
      const Duration cost = queue.profile->Cost(lane.device, items, queue.limits.max_batch);
      places_.emplace_back(begins + cost, BatchPlace{i, begins});
    }
    std::stable_sort(places_.begin(), places_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  // A head that only a busy device can make is not passed over by this batch, nor does it lose
  // what it has waited for.
  void CountTurn(std::size_t started) {
    PassedOver& passed = decision_.passed_over;
    passed[started] = 0;
    for (std::size_t c = started + 1; c < ModelQueue::kClasses; ++c) {
      if (AnyHead(c)) {
        ++passed[c];
      } else if (!had_head_[c]) {
        passed[c] = 0;
      }
    }
  }

  const PolicyInput& input_;
  PolicyDecision decision_;
  std::vector<Candidate> ready_;
  std::vector<std::pair<TimePoint, BatchPlace>> places_;
  std::array<bool, ModelQueue::kClasses> had_head_{};
  struct Tightest {
    std::size_t queue = 0;
    TimePoint start_by = TimePoint::max();
  };
  Tightest tightest_;  // of all queues
  TimePoint second_tightest_ = TimePoint::max();
  bool idle_ = false;
  bool open_ = false;
};

}  // namespace

PolicyDecision Decide(const PolicyInput& input) {
  return Decider(input).Run();
}

Duration FastestCost(std::span<const LaneView> lanes, const QueueView& queue, std::size_t items) {
  const std::size_t size = std::min(items, queue.limits.max_batch);
  Duration fastest = Duration::max();
  std::optional<std::size_t> last_device;
  for (const LaneView& lane : lanes) {
    if (!lane.usable || last_device == lane.device) continue;
    last_device = lane.device;
    fastest = std::min(fastest, queue.profile->Cost(lane.device, size, queue.limits.max_batch));
  }
  return last_device ? fastest : Duration::zero();
}

std::size_t SustainableBatch(std::span<const LaneView> lanes, const QueueView& queue,
                             std::size_t device, Duration goal) {
  const auto usable = static_cast<double>(
      std::count_if(lanes.begin(), lanes.end(), [](const LaneView& lane) { return lane.usable; }));
  const double stagger = 1 + 1 / std::max(1.0, usable);
  const auto fits = [&](std::size_t size) {
    const Duration cost = queue.profile->Cost(device, size, queue.limits.max_batch);
    return stagger * ToMilliseconds(cost) <= ToMilliseconds(goal);
  };
  if (fits(queue.limits.max_batch)) return queue.limits.max_batch;
  std::size_t low = 1;  // taken whether it fits or not
  std::size_t high = queue.limits.max_batch;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace xcloud
