// Why a batch was closed and why a request was refused: the words of the decisions, which are
// also the values of the metrics' label `reason`.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace xcloud {

enum class CloseReason {
  kFull,      // max_batch is reached, or the next request does not fit
  kIdleLane,  // a lane was free, so it took all that waited
  kDeadline,  // one more item, or one more moment, would have made a request late
  kDelay,     // max_queue_delay ran out
  kDrain,     // somebody waits for the queues to run dry: no delay is kept
  kRetry,     // part of a batch that failed
};
inline constexpr std::array<std::string_view, 6> kCloseReasonNames = {
    "full", "idle_lane", "deadline", "delay", "drain", "retry"};

enum class RefuseReason {
  kExpired,      // the deadline passed while it waited, or before it came
  kLate,         // it waited until the profile said that it could not finish in time any more
  kUnreachable,  // the profile says that even an idle server would be late
  kBacklog,      // at the door: with what waits already, it would be late
  kShed,         // overload: others are served in its place
  kQueueFull,
  kCancelled,  // the caller went away
  kTooLarge,   // more items than the queue holds
  kNoDevice,   // every device is in quarantine
  kFailed,     // it failed alone, or its device failed under it twice
  kRemoved,    // its model was removed
  kStopping,
};
inline constexpr std::array<std::string_view, 12> kRefuseReasonNames = {
    "expired",   "late",      "unreachable", "backlog", "shed",    "queue_full",
    "cancelled", "too_large", "no_device",   "failed",  "removed", "stopping"};

}  // namespace xcloud
