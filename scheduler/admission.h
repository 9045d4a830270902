// Admission: would a queue take these items now, and if not, why, and when to come again. A pure
// function; Admit and Submit both ask it, so that they give the same answer.
//
// In this order:
//   items = 0 or > max_batch                            InvalidArgument
//   the deadline has passed                             DeadlineExceeded
//   the profile's fastest device would be late, even if DeadlineExceeded
//     it were idle (unknown times refuse nobody),
//     unless this one is a probe
//   waiting items + these > queue_capacity              Overloaded with retry_after
// Part 2 adds the backlog to the prediction.
//
// A probe is let through against the profile: when nothing of the model waits or runs and no
// batch of it has finished for kProbeInterval. Without probes a profile that was
// measured on a busy machine could refuse everybody, and so never be measured again.
//
// retry_after = waiting items / rate, rounded up to whole milliseconds, within 1 ms and 60 s: when
// what waits now will have left. The rate is the measured one; before a batch has finished, what
// the profile promises for full batches on all lanes; 100 ms when neither is known.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/status.h"
#include "scheduler/policy.h"

namespace xcloud {

struct AdmissionQuery {
  const QueueView& queue;
  std::span<const LaneView> lanes;
  double items_per_second = 0;  // measured; 0 = not known
  std::size_t items = 1;
  Deadline deadline;
  TimePoint now;
  bool probe = false;
};

// Short enough that a few dozen batches, which a wrong profile needs, are a few seconds.
inline constexpr std::chrono::milliseconds kProbeInterval{100};

struct Refusal {
  RefuseReason reason;
  Status status;
};

// Nothing = it would be taken.
std::optional<Refusal> CheckAdmission(const AdmissionQuery& query);

std::chrono::milliseconds RetryAfter(const AdmissionQuery& query);

}  // namespace xcloud
