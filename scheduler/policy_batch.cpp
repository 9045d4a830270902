#include "scheduler/policy_batch.h"

#include <algorithm>
#include <utility>

namespace xcloud {
namespace {

// A lane that is too slow for so many looks no further: a decision's cost must not grow with the
// queue.
constexpr std::size_t kMaxSkipped = 128;

double Rate(std::size_t items, Duration time) {
  return static_cast<double>(items) / std::chrono::duration<double>(time).count();
}

}  // namespace

std::optional<RefuseReason> WhyOver(const WaitingKey& key, const Waiting& waiting, Duration own,
                                    TimePoint now) {
  const ScheduledRequest& request = *waiting.part.request;
  if (request.deadline.IsSet()) {
    if (key.due <= now) return RefuseReason::kExpired;
    // Unknown times make nobody late, and a probe is there to find out.
    const bool known = own > Duration::zero();
    if (known && !waiting.probe && now + own + kReplyMargin > key.due) return RefuseReason::kLate;
  }
  if (request.Cancelled()) return RefuseReason::kCancelled;
  return std::nullopt;
}

BatchFormer::BatchFormer(const PolicyInput& input, std::size_t queue, std::size_t first_class,
                         TimePoint others_start_by, std::vector<PolicyRefusal>& refusals)
    : input_(input),
      queue_(input.queues[queue]),
      index_(queue),
      first_class_(first_class),
      others_start_by_(others_start_by),
      refusals_(refusals),
      refusals_of_others_(static_cast<std::size_t>(
          std::find_if(refusals.begin(), refusals.end(),
                       [queue](const PolicyRefusal& r) { return r.queue == queue; }) -
          refusals.begin())) {}

std::optional<PolicyStart> BatchFormer::Form(const BatchPlace& place, CloseReason reason) {
  Walk(place);
  while (Shed(place)) Walk(place);
  if (takes_.empty()) return std::nullopt;
  PolicyStart start;
  start.queue = index_;
  start.lane = place.lane;
  start.items = items_;
  const std::size_t device = input_.lanes[place.lane].device;
  const std::size_t max_batch = queue_.limits.max_batch;
  start.run_items = queue_.profile->CheapestSize(device, items_, max_batch);
  start.begins = place.begins;
  start.finish = place.begins + queue_.profile->Estimate(device, start.run_items);
  start.takes = std::move(takes_);
  start.reason = reason;
  if (queue_.waiting->At(start.takes.front().key).group != 0) {
    start.reason = CloseReason::kRetry;
  } else if (items_ == max_batch || stopped_ == Step::kFull) {
    start.reason = CloseReason::kFull;
  } else if (stopped_ == Step::kDeadline || stopped_ == Step::kOthers) {
    start.reason = CloseReason::kDeadline;
  }
  return start;
}

bool BatchFormer::Refused(const WaitingKey& key) const {
  for (std::size_t i = refusals_of_others_; i < refusals_.size(); ++i) {
    if (refusals_[i].queue == index_ && refusals_[i].key == key) return true;
  }
  return false;
}

TimePoint BatchFormer::Finish(const BatchPlace& place, std::size_t items) const {
  const std::size_t device = input_.lanes[place.lane].device;
  const Duration cost = queue_.profile->Cost(device, items, queue_.limits.max_batch);
  return cost > Duration::zero() ? place.begins + cost + kReplyMargin : input_.now;
}

void BatchFormer::Walk(const BatchPlace& place) {
  takes_.clear();
  items_ = 0;
  tightest_ = TimePoint::max();
  stopped_ = Step::kTaken;
  fastest_one_ = FastestCost(input_.lanes, queue_, 1);
  finish_one_ = Finish(place, 1);
  finish_full_ = Finish(place, queue_.limits.max_batch);
  // A smaller batch is not padded for a gain of 2 %, so it may cost that much more than a full one.
  finish_full_ += (finish_full_ - place.begins) / 32;
  std::size_t skipped = 0;
  for (std::size_t i = 0; i <= ModelQueue::kClasses; ++i) {
    const std::size_t c = i == 0 ? first_class_ : i - 1;
    if (i > 0 && c == first_class_) continue;
    for (const auto& [key, waiting] : queue_.waiting->InClass(c)) {
      if (items_ == queue_.limits.max_batch) {
        stopped_ = Step::kFull;
        return;
      }
      if (waiting.group != 0) {
        if (!takes_.empty() || Over(key, waiting)) continue;
        WalkGroup(place, waiting.group);
        if (!takes_.empty()) return;
        continue;
      }
      const Step step = Consider(place, key, waiting);
      if (step == Step::kSkipped && ++skipped > kMaxSkipped) return;
      if (step != Step::kTaken && step != Step::kSkipped) {
        stopped_ = step;
        return;
      }
    }
  }
}

// All of it that can still finish alone, whatever the others' deadlines say: part of a group
// cannot convict the culprit.
void BatchFormer::WalkGroup(const BatchPlace& place, std::uint32_t group) {
  for (const WaitingKey& key : queue_.waiting->Group(group)) {
    if (items_ == queue_.limits.max_batch) return;
    (void)Consider(place, key, queue_.waiting->At(key));
  }
}

// Refuses it when it is over and was not refused yet.
bool BatchFormer::Over(const WaitingKey& key, const Waiting& waiting) {
  if (Refused(key)) return true;
  const std::size_t alone = std::min(waiting.part.items, queue_.limits.max_batch);
  const Duration own = alone == 1 ? fastest_one_ : FastestCost(input_.lanes, queue_, alone);
  const auto why = WhyOver(key, waiting, own, input_.now);
  if (why && refusals_.size() < kMaxRefusals) refusals_.push_back({index_, key, *why});
  return why.has_value();
}

BatchFormer::Step BatchFormer::Consider(const BatchPlace& place, const WaitingKey& key,
                                        const Waiting& waiting) {
  if (Over(key, waiting)) return Step::kSkipped;
  const std::size_t max_batch = queue_.limits.max_batch;
  const std::size_t alone = std::min(waiting.part.items, max_batch);
  const bool bound = waiting.part.request->deadline.IsSet() && !waiting.probe;
  // Only a faster device can make it: left to that.
  if (bound && (alone == 1 ? finish_one_ : Finish(place, alone)) > key.due) return Step::kSkipped;
  std::size_t wanted = waiting.part.items;
  if (wanted > max_batch) wanted = max_batch - items_;
  if (items_ + wanted > max_batch) return Step::kFull;
  const std::size_t least = waiting.part.items > max_batch ? 1 : wanted;
  const TimePoint limit = bound ? std::min(tightest_, key.due) : tightest_;
  if (!takes_.empty() && waiting.group == 0 && finish_full_ > limit) {
    while (wanted > least && Finish(place, items_ + wanted) > limit) --wanted;
    if (Finish(place, items_ + wanted) > limit) {
      stopped_due_ = bound ? key.due : TimePoint::max();
      return Step::kDeadline;
    }
  }
  if (!takes_.empty() && waiting.group == 0) {
    while (wanted > least && MakesOthersLate(place, wanted)) --wanted;
    if (MakesOthersLate(place, wanted)) return Step::kOthers;
  }
  takes_.push_back({key, wanted});
  items_ += wanted;
  if (bound && key.due < tightest_) {
    tightest_ = key.due;
    tightest_key_ = key;
  }
  return Step::kTaken;
}

// Whether growing the batch would make another queue's tightest request late that could follow
// this batch as it is. Where batching saves at least half of what the items would cost alone, it
// grows all the same: that is what keeps a GPU ahead of its load.
bool BatchFormer::MakesOthersLate(const BatchPlace& place, std::size_t wanted) const {
  if (others_start_by_ == TimePoint::max()) return false;
  const std::size_t device = input_.lanes[place.lane].device;
  const std::size_t max_batch = queue_.limits.max_batch;
  const Duration now = queue_.profile->Cost(device, items_, max_batch);
  const Duration grown = queue_.profile->Cost(device, items_ + wanted, max_batch);
  if (place.begins + grown <= others_start_by_ || place.begins + now > others_start_by_) {
    return false;
  }
  const Duration alone =
      queue_.profile->Cost(device, 1, max_batch) * static_cast<std::int64_t>(wanted);
  if (2 * (grown - now) <= alone) return false;
  for (std::size_t i = 0; i < input_.lanes.size(); ++i) {
    const LaneView& lane = input_.lanes[i];
    if (i == place.lane || !lane.usable) continue;
    if (lane.running == 0 || lane.free_at <= others_start_by_) return false;  // it can go there
  }
  return true;
}

// Whether the tightest request is to give way, and if so refuses it. Only when the lanes are
// overloaded: when those who would stay behind could not be served in time after a batch as short
// as the tightest one allows, with the other models' batches in between.
bool BatchFormer::Shed(const BatchPlace& place) {
  if (stopped_ != Step::kDeadline || tightest_ == TimePoint::max()) return false;
  if (refusals_.size() >= kMaxRefusals) return false;
  const Duration own_budget = tightest_key_.due - tightest_key_.arrival;
  const Duration goal =
      queue_.limits.latency_goal > Duration::zero() ? queue_.limits.latency_goal : own_budget;
  const std::size_t device = input_.lanes[place.lane].device;
  std::size_t live = queue_.waiting->items();
  for (std::size_t i = refusals_of_others_; i < refusals_.size(); ++i) {
    if (refusals_[i].queue == index_) live -= queue_.waiting->At(refusals_[i].key).part.items;
  }
  const std::size_t window = std::min(live, SustainableBatch(input_.lanes, queue_, device, goal));
  if (items_ >= window) return false;
  const std::size_t max_batch = queue_.limits.max_batch;
  const Duration short_time = queue_.profile->Cost(device, items_, max_batch);
  const Duration full_time = queue_.profile->Cost(device, window, max_batch);
  if (Rate(items_, short_time) >= kShedRate * Rate(window, full_time)) return false;
  const std::size_t rest = std::min(live - items_, window);
  const Duration rest_time = queue_.profile->Cost(device, rest, max_batch);
  const TimePoint rest_done = place.begins + short_time + OthersTime() + rest_time + kReplyMargin;
  if (rest_done <= stopped_due_) return false;
  refusals_.push_back({index_, tightest_key_, RefuseReason::kShed});
  return true;
}

// One batch of each other model that waits, shared out over the lanes.
Duration BatchFormer::OthersTime() const {
  Duration sum{};
  for (const QueueView& other : input_.queues) {
    if (other.waiting == queue_.waiting || other.waiting->empty()) continue;
    sum += FastestCost(input_.lanes, other, other.waiting->items());
  }
  const auto usable = std::count_if(input_.lanes.begin(), input_.lanes.end(),
                                    [](const LaneView& lane) { return lane.usable; });
  return sum / std::max<std::ptrdiff_t>(usable, 1);
}

}  // namespace xcloud
