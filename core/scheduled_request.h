// ScheduledRequest: a request as the scheduler holds it. Sizes and times only; the payload
// belongs to the derived class of the room that made it.
//
// A request of n items may be split over several batches, and a batch that failed may run again
// in halves, so what ends is the item. Invariant: each item of a request that Submit accepted is
// ended exactly once, by Refuse() of the scheduler or by the answer of the BatchExecutor that ran
// it. The request is over when its last item is; the derived class joins them (core/item_join.h).
#pragma once

#include <atomic>
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
  // Ends the items first .. first + count - 1 unrun. Called without scheduler locks held, from
  // any thread, for different items possibly at once. Must not block.
  virtual void Refuse(std::size_t first, std::size_t count, Status status) = 0;
  void RefuseAll(Status status) { Refuse(0, items, std::move(status)); }
};
// Shared: the parts of a split request run on several lanes, and the scheduler keeps what runs
// until it knows that it need not run again.
using ScheduledRequestPtr = std::shared_ptr<ScheduledRequest>;

// Consecutive items of one request.
struct BatchPart {
  ScheduledRequestPtr request;
  std::size_t first = 0;
  std::size_t items = 1;
};

// Who ends the items of one run of a batch: the lane that finished it, or the scheduler, which
// took it back because the lane hangs. The first to take the claim does; the other leaves them.
class BatchClaim {
 public:
  // True once.
  bool Take() { return !taken_.exchange(true, std::memory_order_acq_rel); }

 private:
  std::atomic<bool> taken_{false};
};

// What leaves together for one lane. Closed: nothing joins it any more.
struct Batch {
  ModelId model = 0;
  std::vector<BatchPart> parts;  // by priority, deadline, arrival
  std::size_t items = 0;         // sum of parts[i].items
  std::size_t run_items = 0;     // >= items: the lane pads to this size, which is cheaper to run
  TimePoint closed_at;
  std::shared_ptr<BatchClaim> claim;
};

}  // namespace xcloud
