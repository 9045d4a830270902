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
};
inline constexpr std::array<std::string_view, 5> kCloseReasonNames = {"full", "idle_lane",
                                                                      "deadline", "delay", "drain"};

enum class RefuseReason {
  kExpired,      // the deadline passed while it waited, or before it came
  kUnreachable,  // the profile says that even an idle server would be late
  kQueueFull,
  kCancelled,  // the caller went away
  kTooLarge,   // more items than max_batch
  kRemoved,    // its model was removed
  kStopping,
};
inline constexpr std::array<std::string_view, 7> kRefuseReasonNames = {
    "expired", "unreachable", "queue_full", "cancelled", "too_large", "removed", "stopping"};

}  // namespace xcloud
