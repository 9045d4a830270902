#include "scheduler/policy_batch.h"

#include <algorithm>
#include <utility>

namespace xcloud {
namespace {

double Rate(std::size_t items, Duration time) {
  return static_cast<double>(items) / std::chrono::duration<double>(time).count();
}

}  // namespace

std::optional<RefuseReason> WhyOver(const QueueView& queue, const WaitingKey& key,
                                    const Waiting& waiting, Duration own, TimePoint now) {
  const ScheduledRequest& request = *waiting.part.request;
  if (request.deadline.IsSet()) {
    if (key.due <= now) return RefuseReason::kExpired;
    // Unknown times make nobody late, and a probe is there to find out.
    const bool known = own > Duration::zero();
    if (known && !queue.probe && now + own + kReplyMargin > key.due) return RefuseReason::kLate;
  }
  if (request.Cancelled()) return RefuseReason::kCancelled;
  return std::nullopt;
}

BatchFormer::BatchFormer(const PolicyInput& input, std::size_t queue, std::size_t first_class,
                         std::vector<PolicyRefusal>& refusals)
    : input_(input),
      queue_(input.queues[queue]),
      index_(queue),
      first_class_(first_class),
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
  start.finish = place.begins + queue_.profile->Estimate(device, start.run_items);
  start.takes = std::move(takes_);
  start.reason = reason;
  if (queue_.waiting->At(start.takes.front().key).group != 0) {
    start.reason = CloseReason::kRetry;
  } else if (items_ == max_batch || stopped_ == Step::kFull) {
    start.reason = CloseReason::kFull;
  } else if (stopped_ == Step::kDeadline) {
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
      if (step == Step::kFull || step == Step::kDeadline) {
        stopped_ = step;
        return;
      }
      if (queue_.probe && !takes_.empty()) return;  // a probe risks one request, not a batch
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
  const auto why = WhyOver(queue_, key, waiting, own, input_.now);
  if (why && refusals_.size() < kMaxRefusals) refusals_.push_back({index_, key, *why});
  return why.has_value();
}

BatchFormer::Step BatchFormer::Consider(const BatchPlace& place, const WaitingKey& key,
                                        const Waiting& waiting) {
  if (Over(key, waiting)) return Step::kSkipped;
  const std::size_t max_batch = queue_.limits.max_batch;
  const std::size_t alone = std::min(waiting.part.items, max_batch);
  const bool bound = waiting.part.request->deadline.IsSet() && !queue_.probe;
  // Only a faster device can make it: left to that.
  if (bound && (alone == 1 ? finish_one_ : Finish(place, alone)) > key.due) return Step::kSkipped;
  std::size_t wanted = waiting.part.items;
  if (wanted > max_batch) wanted = max_batch - items_;
  if (items_ + wanted > max_batch) return Step::kFull;
  const TimePoint limit = bound ? std::min(tightest_, key.due) : tightest_;
  if (!takes_.empty() && waiting.group == 0 && finish_full_ > limit) {
    const std::size_t least = waiting.part.items > max_batch ? 1 : wanted;
    while (wanted > least && Finish(place, items_ + wanted) > limit) --wanted;
    if (Finish(place, items_ + wanted) > limit) return Step::kDeadline;
  }
  takes_.push_back({key, wanted});
  items_ += wanted;
  if (bound && key.due < tightest_) {
    tightest_ = key.due;
    tightest_key_ = key;
  }
  return Step::kTaken;
}

bool BatchFormer::Shed(const BatchPlace& place) {
  if (stopped_ != Step::kDeadline || tightest_ == TimePoint::max()) return false;
  if (refusals_.size() >= kMaxRefusals) return false;
  const Duration own_budget = tightest_key_.due - tightest_key_.arrival;
  const Duration goal =
      queue_.limits.latency_goal > Duration::zero() ? queue_.limits.latency_goal : own_budget;
  const std::size_t device = input_.lanes[place.lane].device;
  const std::size_t window = SustainableBatch(input_.lanes, queue_, device, goal);
  if (items_ >= window) return false;
  std::size_t live = queue_.waiting->items();
  for (std::size_t i = refusals_of_others_; i < refusals_.size(); ++i) {
    if (refusals_[i].queue == index_) live -= queue_.waiting->At(refusals_[i].key).part.items;
  }
  if (live < window + items_) return false;
  const std::size_t max_batch = queue_.limits.max_batch;
  const double now = Rate(items_, queue_.profile->Cost(device, items_, max_batch));
  const double full = Rate(window, queue_.profile->Cost(device, window, max_batch));
  if (now >= kShedRate * full) return false;
  refusals_.push_back({index_, tightest_key_, RefuseReason::kShed});
  return true;
}

}  // namespace xcloud
