// The policy: which requests leave together, when, and to which lane. A pure function of what it
// is given: no clock, no threads, no state of its own; the simulator drives it as the shell does.
//
// One decision refuses what is over and starts at most one batch. The caller acts on it and,
// when it started a batch, decides again (another lane may be free). It then calls again at
// `look_again` or at the next event (a request came, a lane became free, a queue changed),
// whichever is first.
//
// Steps of Decide, and where part 2's deadline-aware rules enter them:
//   1. Each queue: refuse expired requests (deadline <= now) and cancelled ones at the head of a
//      priority class.                    [part 2: drop what the profile says will be late]
//   2. A queue with a head is ready when a lane is free, unless its model asks for
//      max_queue_delay and its batch is not full: then when the oldest request has waited that
//      long, or when one more moment would make a request late (deadline - time of the batch),
//      whichever is first.
//   3. Of the ready queues, the one whose head is first by priority, deadline, arrival; ties go
//      to the least recently served.      [part 2: the starvation bound of low priority]
//   4. Of the free lanes, one on the device whose profile is fastest for the batch; ties go to
//      the first.                         [part 2: skip devices in quarantine]
//   5. The batch: requests in order while they fit in max_batch items and while the profile says
//      that all of its requests that can meet their deadline still do. The first goes always:
//      a lane is never left idle for a request that will be late.
//                                         [part 2: window drop; split of n > max_batch; a batch
//                                          that failed comes back in halves]
//
// Invariants: (1) with a free lane and no max_queue_delay, nothing waits; (2) nobody waits past
// its budget while a lane is free; (3) look_again > now unless a batch started, and is no later
// than the first instant at which a decision would act without any event.
//
// Cost: O(queues x devices + requests refused and started), whatever waits; queues with
// max_queue_delay add their requests of the one batch that they hold back. Reading
// ScheduledRequest::Cancelled() is the only thing that is not in the input by value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/clock.h"
#include "scheduler/model_queue.h"
#include "scheduler/profile.h"
#include "scheduler/reasons.h"

namespace xcloud {

struct LaneView {
  std::size_t device = 0;  // as BatchProfile counts them
  bool busy = false;
};

struct QueueView {
  const ModelQueue* waiting = nullptr;
  const BatchProfile* profile = nullptr;
  BatchLimits limits;
  std::uint64_t last_served = 0;  // rises with each batch that any queue starts; 0 = never
};

struct PolicyInput {
  std::span<const QueueView> queues;
  std::span<const LaneView> lanes;
  TimePoint now;
  bool draining = false;  // keep no delay
};

struct PolicyRefusal {
  std::size_t queue = 0;
  WaitingKey key;
  RefuseReason reason = RefuseReason::kExpired;  // or kCancelled
};

// The first `requests` of the queue, once the refusals are taken out.
struct PolicyStart {
  std::size_t queue = 0;
  std::size_t lane = 0;
  std::size_t requests = 0;
  std::size_t items = 0;
  CloseReason reason = CloseReason::kIdleLane;
};

struct PolicyDecision {
  std::vector<PolicyRefusal> refusals;
  std::optional<PolicyStart> start;
  TimePoint look_again = TimePoint::max();  // max() = only at an event; now after a start
};

PolicyDecision Decide(const PolicyInput& input);

}  // namespace xcloud
