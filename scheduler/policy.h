// The policy: which requests leave together, when, and to which lane. A pure function of what it
// is given: no clock, no threads, no state of its own; the simulator drives it as the shell does.
//
// One decision refuses what is over and starts at most one batch. The caller acts on it and, when
// it started or refused something, decides again. It then calls again at `look_again` or at the
// next event (a request came, a lane became free, a queue or a device changed).
//
// Steps of Decide
//   1. Each queue: refuse what has expired, what its caller gave up, and what cannot finish any
//      more: now + the fastest device's time + kReplyMargin > deadline. Beginning with the
//      earliest deadline, and whatever the batch walk meets; at most kMaxRefusals a decision.
//   2. A queue is ready when it has a part left and a lane is free, unless its model asks for
//      max_queue_delay or deferral and its batch is not full: then when the oldest has waited that
//      long (delay), or when one more moment or item would make a request late (both).
//   3. Whose turn: the most urgent priority that is ready, but every kTurn-th batch goes to the
//      ready priority that has been passed over for that long. So a ready low-priority request at
//      the head of its priority sees at most kTurn - 1 batches in a row started over it, and each
//      lower priority gets at least one batch in kTurn while it waits.
//   4. Which queue, within the priority: of those that are not more than kFairWindow of lane time
//      ahead of the least served, the one with the latest start instant first (due - batch time);
//      ties go to the earlier arrival, then to the least recently served.
//   5. Which lane: a free lane of the device that finishes the batch first. A part that only a
//      faster, busy device can finish in time stays for it; the slow lane takes the next. A lane
//      of depth 2 that runs takes a full batch ahead (or one that a deadline cut), since that
//      one cannot grow any more; but only from the queue that is in turn: while that has less than
//      a full batch, the lane is left to become idle for it.
//   6. The batch: parts in order (the turn's priority first) while they fit in max_batch items and
//      while the profile says that the tightest deadline in it is still met; and, where batching
//      saves less than half of an item's time, while the tightest request of the other queues can
//      still follow. A part of more than max_batch items fills what room there is and leaves the
//      rest. A group of parts of a failed batch runs alone. When a deadline cuts the batch short,
//      a fuller one would be served at more than 1 / kShedRate times its speed, and those who
//      stay behind could not be served in time after it, the tightest request is shed and the
//      batch is formed anew: the window drop of Nexus (SOSP 2019), without which an overloaded
//      lane serves ever shorter batches of ever later requests.
//   7. The size to run: padded to a larger measured size when that is cheaper.
//
// Invariants: (1) with a free lane, nothing waits but for a delay, a deferral or a faster device
// that alone can make it; (2) nothing starts that its profile says will be late, except as a
// probe; (3) look_again > now unless something was started or refused, and is no later than the
// first instant at which a decision would act without any event.
//
// Cost: O(queues x devices + requests refused and started), whatever waits. Reading
// ScheduledRequest::Cancelled() is the only thing that is not in the input by value.
#pragma once

#include <array>
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

// Between the end of a batch and the answer on the socket: top-k, JSON, a thread switch or two.
inline constexpr Duration kReplyMargin = std::chrono::microseconds(500);
// A ready lower priority gets one batch in so many.
inline constexpr std::uint32_t kTurn = 8;
// Lane time by which one model may be ahead of another that also waits.
inline constexpr Duration kFairWindow = std::chrono::milliseconds(100);
inline constexpr double kShedRate = 0.9;
inline constexpr std::size_t kMaxRefusals = 64;

struct LaneView {
  std::size_t device = 0;   // as BatchProfile counts them
  std::size_t running = 0;  // batches it holds
  std::size_t depth = 1;    // that it may hold
  bool usable = true;       // false: its device is in quarantine, or a probe holds it
  TimePoint free_at;        // when what it holds should be done; meaningful while running > 0

  bool Idle() const { return usable && running == 0; }
  bool HasRoom() const { return usable && running < depth; }
};

struct QueueView {
  const ModelQueue* waiting = nullptr;
  const BatchProfile* profile = nullptr;
  BatchLimits limits;
  std::uint64_t last_served = 0;  // rises with each batch that any queue starts; 0 = never
  Duration lane_time{};           // used, as FairShare counts it
};

// By priority class: batches started over a ready head of that class since its last turn.
using PassedOver = std::array<std::uint32_t, ModelQueue::kClasses>;

struct PolicyInput {
  std::span<const QueueView> queues;
  std::span<const LaneView> lanes;
  TimePoint now;
  bool draining = false;  // keep no delay
  PassedOver passed_over{};
};

struct PolicyRefusal {
  std::size_t queue = 0;
  WaitingKey key;
  RefuseReason reason = RefuseReason::kExpired;  // or kCancelled, kLate, kShed
};

struct PolicyTake {
  WaitingKey key;
  std::size_t items = 0;  // the first ones of the part
};

struct PolicyStart {
  std::size_t queue = 0;
  std::size_t lane = 0;
  std::vector<PolicyTake> takes;
  std::size_t items = 0;
  std::size_t run_items = 0;  // padded
  TimePoint begins;           // now, or when what the lane runs should be done
  TimePoint finish;           // as the profile sees it
  CloseReason reason = CloseReason::kIdleLane;
};

struct PolicyDecision {
  std::vector<PolicyRefusal> refusals;
  std::optional<PolicyStart> start;
  TimePoint look_again = TimePoint::max();  // max() = only at an event; now after an act
  PassedOver passed_over{};                 // for the next decision
};

PolicyDecision Decide(const PolicyInput& input);

// The fastest usable device's time for `items` (cut to max_batch); zero when nothing is known or
// no device is usable.
Duration FastestCost(std::span<const LaneView> lanes, const QueueView& queue, std::size_t items);

// The largest batch that a lane can take again and again within `goal`: a request may just miss
// one batch on each lane before its own runs, so (1 + 1/lanes) * time <= goal. At
// least 1.
std::size_t SustainableBatch(std::span<const LaneView> lanes, const QueueView& queue,
                             std::size_t device, Duration goal);

}  // namespace xcloud
