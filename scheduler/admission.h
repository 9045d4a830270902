// Admission: would a queue take these items now and answer them in time, and if not, why, and
// when to come again. A pure function; Admit and Submit both ask it, so that they agree.
//
// In this order:
//   items = 0 or > queue_capacity                       InvalidArgument
//   the deadline has passed                             DeadlineExceeded
//   no device is well                                   Unavailable
//   waiting items + upstream + these > queue_capacity   Overloaded with retry_after
//   the profile's fastest device would be late, even if DeadlineExceeded
//     it were idle
//   with what is ahead, it would be late                Overloaded with retry_after
// Unknown times refuse nobody; neither of the last two refuses a probe.
//
// The prediction (PredictFinish): the lanes become free when what they run should be done; what is
// ahead leaves in batches of the size that the budget sustains, each to the lane that is free
// first; then comes this request's batch. Ahead are the items of the model that are as urgent or
// more (upstream ones too), and of each other model its more urgent ones, and of those as urgent
// no more lane time than this model's own share, since the policy shares lanes fairly.
//
// A probe is let through against the profile: when a lane is idle, nothing of the model waits or
// runs, and no batch of it has finished for kProbeInterval. Without probes a profile that was
// measured on a busy machine could refuse everybody, and so never be measured again.
//
// retry_after: a full queue's is waiting items / rate, when what waits now will have left (the
// measured rate; before a batch has finished, what the profile promises on all lanes; 100 ms when
// neither is known); a late one's is by how much it would be late. Within 1 ms and 60 s.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "core/clock.h"
#include "core/status.h"
#include "scheduler/policy.h"

namespace xcloud {

struct AdmissionQuery {
  const QueueView& queue;
  std::span<const LaneView> lanes;
  std::span<const QueueView> others;  // all queues; `queue` itself is passed over
  double items_per_second = 0;        // measured; 0 = not known
  AdmitQuery request;
  TimePoint now;
  bool may_probe = false;  // nothing of the model waits, runs, or has finished for a while
};

// Short enough that a few dozen batches, which a wrong profile needs, are a few seconds.
inline constexpr std::chrono::milliseconds kProbeInterval{100};

struct Refusal {
  RefuseReason reason;
  Status status;
};

// Nothing = it would be taken.
std::optional<Refusal> CheckAdmission(const AdmissionQuery& query);

// AdmissionQuery::may_probe, of a model with `running` batches whose last one ended at
// `last_finish`.
inline bool MayProbe(const ModelQueue& waiting, std::size_t running, TimePoint last_finish,
                     TimePoint now) {
  return waiting.empty() && running == 0 && now - last_finish >= kProbeInterval;
}

// Of a request that is taken: it is so only as a probe, and is to be queued as one.
bool IsProbe(const AdmissionQuery& query);

// When the answer would be ready; now when nothing is known.
TimePoint PredictFinish(const AdmissionQuery& query);

// Of a full queue.
std::chrono::milliseconds RetryAfter(const AdmissionQuery& query);

}  // namespace xcloud
