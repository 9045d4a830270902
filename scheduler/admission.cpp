#include "scheduler/admission.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetrySoonest{1};
constexpr std::chrono::milliseconds kRetryLatest{60'000};
constexpr std::chrono::milliseconds kRetryUnknown{100};
// Batches that are handed out one by one; what is beyond is spread evenly over the lanes.
constexpr std::size_t kExactBatches = 64;
// A last batch of less than this share of the full one's speed is taken to fill up. Lower than
// kShedRate: a request refused at the door is lost, one that was let in may still be shed.
constexpr double kWasteRate = 0.8;

std::string Milliseconds(Duration d) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + " ms";
}

std::chrono::milliseconds Bounded(Duration wait) {
  return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(wait), kRetrySoonest,
                    kRetryLatest);
}

std::size_t ItemsUpTo(const ModelQueue& waiting, std::size_t last_class) {
  std::size_t items = 0;
  for (std::size_t c = 0; c <= last_class; ++c) items += waiting.ItemsInClass(c);
  return items;
}

// Lane time that the items need in full batches, on the fastest usable device.
Duration LaneTime(const AdmissionQuery& query, const QueueView& queue, std::size_t items) {
  const std::size_t max_batch = queue.limits.max_batch;
  if (items <= max_batch) {
    return items == 0 ? Duration::zero() : FastestCost(query.lanes, queue, items);
  }
  return FastestCost(query.lanes, queue, max_batch) * static_cast<std::int64_t>(items) /
         static_cast<std::int64_t>(max_batch);
}

// The other models' share of what is ahead.
Duration OthersTime(const AdmissionQuery& query, std::size_t own_class, Duration own) {
  Duration sum{};
  for (const QueueView& other : query.others) {
    if (other.waiting == query.queue.waiting || other.waiting->empty()) continue;
    const std::size_t more_urgent = own_class == 0 ? 0 : ItemsUpTo(*other.waiting, own_class - 1);
    const std::size_t as_urgent = other.waiting->ItemsInClass(own_class);
    sum += LaneTime(query, other, more_urgent);
    sum += std::min(LaneTime(query, other, as_urgent), own);
  }
  return sum;
}

// The size of the batch that will hold this request. Behind a full batch there is an overload, and
// where a short batch wastes the lane the last one will be full as well when it starts.
std::size_t LastBatch(const QueueView& queue, std::size_t device, std::size_t ahead,
                      std::size_t items, std::size_t full) {
  const std::size_t rest = std::min(ahead % full + items, full);
  if (ahead < full) return rest;
  const std::size_t max_batch = queue.limits.max_batch;
  const double rest_ms = ToMilliseconds(queue.profile->Cost(device, rest, max_batch));
  const double full_ms = ToMilliseconds(queue.profile->Cost(device, full, max_batch));
  const bool wastes =
      static_cast<double>(rest) * full_ms < kWasteRate * static_cast<double>(full) * rest_ms;
  return wastes ? full : rest;
}

struct LaneTimes {
  std::size_t device = 0;
  TimePoint free_at;
  std::size_t size = 1;  // of the batches that the budget sustains there
  Duration batch{};      // their time
  Duration own{};        // of the last batch, with this request
};

double PromisedItemsPerSecond(const AdmissionQuery& query) {
  const std::size_t max_batch = query.queue.limits.max_batch;
  double sum = 0;
  for (const LaneView& lane : query.lanes) {
    const Duration time = query.queue.profile->Estimate(lane.device, max_batch);
    if (lane.usable && time > Duration::zero()) {
      sum += static_cast<double>(max_batch) / std::chrono::duration<double>(time).count();
    }
  }
  return sum;
}

Refusal Late(const AdmissionQuery& query, TimePoint finish) {
  const TimePoint deadline = query.request.deadline.when();
  const std::chrono::milliseconds retry_after = Bounded(finish - deadline);
  return {
      RefuseReason::kBacklog,
      Status::Overloaded("the answer would take about " + Milliseconds(finish - query.now) +
                             " with what waits already, and " + Milliseconds(deadline - query.now) +
                             " are left to the deadline; try again in " + Milliseconds(retry_after),
                         retry_after)};
}

std::optional<Refusal> CheckTime(const AdmissionQuery& query) {
  if (!query.request.deadline.IsSet()) return std::nullopt;
  const TimePoint deadline = query.request.deadline.when();
  const Duration left = deadline - query.now;
  const Duration alone = FastestCost(query.lanes, query.queue, query.request.items);
  if (alone == Duration::zero()) return std::nullopt;
  if (alone + kReplyMargin > left) {
    return Refusal{
        RefuseReason::kUnreachable,
        Status::DeadlineExceeded("the model needs about " + Milliseconds(alone) + " and " +
                                 Milliseconds(left) + " are left to the deadline")};
  }
  const TimePoint finish = PredictFinish(query) + kReplyMargin;
  if (finish > deadline) return Late(query, finish);
  return std::nullopt;
}

std::vector<LaneTimes> TimesOfLanes(const AdmissionQuery& query, std::size_t ahead) {
  const QueueView& queue = query.queue;
  const std::size_t max_batch = queue.limits.max_batch;
  const Duration budget = query.request.deadline.Remaining(query.now);
  std::vector<LaneTimes> lanes;
  for (const LaneView& lane : query.lanes) {
    if (!lane.usable) continue;
    LaneTimes times;
    if (!lanes.empty() && lanes.back().device == lane.device) {
      times = lanes.back();  // neighbours share their device's times
    } else {
      times.device = lane.device;
      times.size = SustainableBatch(query.lanes, queue, lane.device, budget);
      times.batch = queue.profile->Cost(lane.device, times.size, max_batch);
      const std::size_t last =
          LastBatch(queue, lane.device, ahead, query.request.items, times.size);
      times.own = queue.profile->Cost(lane.device, last, max_batch);
    }
    times.free_at = lane.running == 0 ? query.now : std::max(query.now, lane.free_at);
    lanes.push_back(times);
  }
  return lanes;
}

// Hands the batches ahead to the lane that is free first, one after the other, until this
// request's own is next.
void PassAhead(std::vector<LaneTimes>& lanes, std::size_t items) {
  const auto later = [](const LaneTimes& a, const LaneTimes& b) { return a.free_at > b.free_at; };
  std::make_heap(lanes.begin(), lanes.end(), later);
  for (std::size_t i = 0; i < kExactBatches && items > lanes.front().size; ++i) {
    std::pop_heap(lanes.begin(), lanes.end(), later);
    items -= lanes.back().size;
    lanes.back().free_at += lanes.back().batch;
    std::push_heap(lanes.begin(), lanes.end(), later);
  }
  if (items <= lanes.front().size) return;
  double per_second = 0;
  for (const LaneTimes& lane : lanes) {
    const double seconds = std::chrono::duration<double>(lane.batch).count();
    if (seconds <= 0) return;  // a lane whose times are not known: hopeful
    per_second += static_cast<double>(lane.size) / seconds;
  }
  const std::chrono::duration<double> beyond(static_cast<double>(items) / per_second);
  for (LaneTimes& lane : lanes) lane.free_at += std::chrono::duration_cast<Duration>(beyond);
}

}  // namespace

TimePoint PredictFinish(const AdmissionQuery& query) {
  const std::size_t own_class = ModelQueue::ClassOf(query.request.priority);
  const std::size_t ahead =
      ItemsUpTo(*query.queue.waiting, own_class) + query.request.upstream_items;
  const std::size_t items = ahead + query.request.items;
  std::vector<LaneTimes> lanes = TimesOfLanes(query, ahead);
  if (lanes.empty()) return query.now;
  const Duration own = LaneTime(query, query.queue, items);
  const Duration others =
      OthersTime(query, own_class, own) / static_cast<std::int64_t>(lanes.size());
  for (LaneTimes& lane : lanes) lane.free_at += others;
  PassAhead(lanes, items);
  const TimePoint soonest = query.now + query.request.upstream_delay;
  TimePoint finish = TimePoint::max();
  for (const LaneTimes& lane : lanes) {
    finish = std::min(finish, std::max(lane.free_at, soonest) + lane.own);
  }
  return finish;
}

bool IsProbe(const AdmissionQuery& query) {
  const bool idle = std::any_of(query.lanes.begin(), query.lanes.end(),
                                [](const LaneView& lane) { return lane.Idle(); });
  return query.may_probe && idle && CheckTime(query).has_value();
}

std::optional<Refusal> CheckAdmission(const AdmissionQuery& query) {
  const AdmitQuery& request = query.request;
  const std::size_t capacity = query.queue.limits.queue_capacity;
  if (request.items == 0 || request.items > capacity) {
    return Refusal{
        RefuseReason::kTooLarge,
        Status::InvalidArgument("a request may hold 1 to " + std::to_string(capacity) +
                                " items, this one holds " + std::to_string(request.items))};
  }
  if (request.deadline.Expired(query.now)) {
    return Refusal{RefuseReason::kExpired,
                   Status::DeadlineExceeded("the deadline passed before the request was queued")};
  }
  const bool any_well = std::any_of(query.lanes.begin(), query.lanes.end(),
                                    [](const LaneView& lane) { return lane.usable; });
  if (!query.lanes.empty() && !any_well) {
    return Refusal{RefuseReason::kNoDevice,
                   Status::Unavailable("no device is well; they are being probed")};
  }
  if (!query.queue.waiting->HasRoom(request.items + request.upstream_items)) {
    const std::chrono::milliseconds retry_after = RetryAfter(query);
    return Refusal{
        RefuseReason::kQueueFull,
        Status::Overloaded("the queue is full: " + std::to_string(query.queue.waiting->items()) +
                               " items wait; try again in " + Milliseconds(retry_after),
                           retry_after)};
  }
  std::optional<Refusal> late = CheckTime(query);
  if (late && IsProbe(query)) return std::nullopt;
  return late;
}

std::chrono::milliseconds RetryAfter(const AdmissionQuery& query) {
  const double rate =
      query.items_per_second > 0 ? query.items_per_second : PromisedItemsPerSecond(query);
  if (rate <= 0) return kRetryUnknown;
  const double seconds = static_cast<double>(query.queue.waiting->items()) / rate;
  if (seconds >= 60) return kRetryLatest;
  return Bounded(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

}  // namespace xcloud
