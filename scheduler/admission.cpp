#include "scheduler/admission.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetrySoonest{1};
constexpr std::chrono::milliseconds kRetryLatest{60'000};
constexpr std::chrono::milliseconds kRetryUnknown{100};

std::string Milliseconds(Duration d) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + " ms";
}

Duration FastestTime(const AdmissionQuery& query) {
  Duration fastest = Duration::max();
  for (const LaneView& lane : query.lanes) {
    fastest = std::min(fastest, query.queue.profile->Estimate(lane.device, query.items));
  }
  return query.lanes.empty() ? Duration::zero() : fastest;
}

double PromisedItemsPerSecond(const AdmissionQuery& query) {
  const std::size_t max_batch = query.queue.limits.max_batch;
  double sum = 0;
  for (const LaneView& lane : query.lanes) {
    const Duration time = query.queue.profile->Estimate(lane.device, max_batch);
    if (time > Duration::zero()) {
      sum += static_cast<double>(max_batch) / std::chrono::duration<double>(time).count();
    }
  }
  return sum;
}

}  // namespace

std::optional<Refusal> CheckAdmission(const AdmissionQuery& query) {
  const std::size_t max_batch = query.queue.limits.max_batch;
  if (query.items == 0 || query.items > max_batch) {
    return Refusal{
        RefuseReason::kTooLarge,
        Status::InvalidArgument("a request may hold 1 to " + std::to_string(max_batch) +
                                " images, this one holds " + std::to_string(query.items))};
  }
  if (query.deadline.Expired(query.now)) {
    return Refusal{RefuseReason::kExpired,
                   Status::DeadlineExceeded("the deadline passed before the request was queued")};
  }
  const Duration time = FastestTime(query);
  const Duration left = query.deadline.Remaining(query.now);
  if (time > left && !query.probe) {
    return Refusal{
        RefuseReason::kUnreachable,
        Status::DeadlineExceeded("the model needs about " + Milliseconds(time) + " and " +
                                 Milliseconds(left) + " are left to the deadline")};
  }
  if (!query.queue.waiting->HasRoom(query.items)) {
    const std::chrono::milliseconds retry_after = RetryAfter(query);
    return Refusal{
        RefuseReason::kQueueFull,
        Status::Overloaded("the queue is full: " + std::to_string(query.queue.waiting->items()) +
                               " images wait; try again in " + Milliseconds(retry_after),
                           retry_after)};
  }
  return std::nullopt;
}

std::chrono::milliseconds RetryAfter(const AdmissionQuery& query) {
  const double rate =
      query.items_per_second > 0 ? query.items_per_second : PromisedItemsPerSecond(query);
  if (rate <= 0) return kRetryUnknown;
  const double ms = std::ceil(1000 * static_cast<double>(query.queue.waiting->items()) / rate);
  if (ms >= static_cast<double>(kRetryLatest.count())) return kRetryLatest;
  return std::max(kRetrySoonest, std::chrono::milliseconds(static_cast<std::int64_t>(ms)));
}

}  // namespace xcloud
