// BatchScheduler: the seam between models, which makes requests out of photos, and the room
// that decides when they leave. Implemented by scheduler.
//
// Thread safety: every method from any thread; none blocks on a batch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/scheduled_request.h"

namespace xcloud {

// Knobs of one model's queue, from model.toml's [batching] and [latency].
struct BatchLimits {
  std::size_t max_batch = 1;         // items; >= 1
  std::size_t queue_capacity = 256;  // items waiting; >= max_batch; more is refused (Overloaded)
  Duration max_queue_delay{};  // how long a lane may idle hoping for a fuller batch; 0 = never
  Duration latency_goal{};     // deadline of requests that bring none; 0 = none
};

// Measured time of a batch of `items` on lanes of `device`.
struct ProfilePoint {
  std::string device;
  std::size_t items = 0;
  Duration elapsed{};
};

class BatchScheduler {
 public:
  virtual ~BatchScheduler() = default;

  // Opens a queue. `profile` holds what warm-up measured; it may be empty (unknown = optimistic).
  virtual ModelId AddModel(std::string_view name, const BatchLimits& limits,
                           const std::vector<ProfilePoint>& profile) = 0;
  // Refuses what waits (Unavailable) and closes the queue; running batches finish.
  virtual void RemoveModel(ModelId model) = 0;

  // Would `items` more be taken now? Overloaded with a computed retry_after, DeadlineExceeded or
  // OK. A hint: the queue may fill before Submit.
  virtual Status Admit(ModelId model, std::size_t items, Deadline deadline) const = 0;

  // Queues the request. Ownership moves exactly when the result is OK; else `request` is left
  // with the caller: Overloaded (queue full), Unavailable (model removed or stopping),
  // InvalidArgument (more items than max_batch), DeadlineExceeded.
  virtual Status Submit(ModelId model, ScheduledRequestPtr& request) = 0;
};

}  // namespace xcloud
