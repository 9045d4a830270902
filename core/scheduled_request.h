// ScheduledRequest: a request as the scheduler holds it. Sizes and times only; the payload
// belongs to the derived class of the room that made it.
//
// Invariant: exactly one of these ends a request that Submit accepted: Refuse() by the
// scheduler, or its answer by the BatchExecutor that it was handed to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/request.h"
#include "core/status.h"

namespace xcloud {

using ModelId = std::uint32_t;  // handed out by BatchScheduler::AddModel; never reused

class ScheduledRequest {
 public:
  virtual ~ScheduledRequest() = default;

  std::size_t items = 1;  // images in it; counts against max_batch and the queue bound
  Priority priority = Priority::kNormal;
  TimePoint arrival;  // first byte
  Deadline deadline;

  // The caller went away: the request may be dropped before it runs. Any thread.
  virtual bool Cancelled() const = 0;
  // Ends the request unrun. Called once, without scheduler locks held. Must not block.
  virtual void Refuse(Status status) = 0;
};
using ScheduledRequestPtr = std::unique_ptr<ScheduledRequest>;

// What leaves together for one lane. Closed: nothing joins it any more.
struct Batch {
  ModelId model = 0;
  std::vector<ScheduledRequestPtr> requests;  // by priority, deadline, arrival
  std::size_t items = 0;                      // sum of requests[i]->items
  TimePoint closed_at;
};

}  // namespace xcloud
