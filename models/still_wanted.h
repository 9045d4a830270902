// StillWanted: what is asked of a request before work is spent on it. Any thread.
#pragma once

#include <string>

#include "core/scheduled_request.h"

namespace xcloud {

// OK while somebody still waits for the answer; else Cancelled or DeadlineExceeded. `step`
// completes "before the photo was ...".
inline Status StillWanted(const ScheduledRequest& request, TimePoint now, const char* step) {
  if (request.Cancelled()) return Status::Cancelled("the caller closed the connection");
  if (request.deadline.Expired(now)) {
    return Status::DeadlineExceeded("the deadline passed before the photo was " +
                                    std::string(step));
  }
  return Status::Ok();
}

}  // namespace xcloud
