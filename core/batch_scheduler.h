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

// Knobs of one model's queue, from model.toml's [batching] and [latency]; changed live by PATCH.
struct BatchLimits {
  std::size_t max_batch = 1;         // items; >= 1
  std::size_t queue_capacity = 256;  // items waiting; >= max_batch; more is refused (Overloaded)
  Duration max_queue_delay{};  // how long a lane may idle hoping for a fuller batch; 0 = never
  Duration latency_goal{};     // deadline of requests that bring none; 0 = none
  bool defer = false;          // wait for a fuller batch as long as every deadline allows
  Priority priority = Priority::kNormal;  // of requests that name none
  // Requests without a deadline are served in the order as if theirs were this long after they
  // came, so that neither they nor those with a deadline starve the others.
  Duration patience = std::chrono::seconds(2);

  friend bool operator==(const BatchLimits&, const BatchLimits&) = default;
};

// Measured time of a batch of `items` on lanes of `device`.
struct ProfilePoint {
  std::string device;
  std::size_t items = 0;
  Duration elapsed{};
};

// What Admit is asked.
struct AdmitQuery {
  std::size_t items = 1;
  Priority priority = Priority::kNormal;
  Deadline deadline;
  std::size_t upstream_items = 0;  // of the model, accepted and not yet submitted (in decode)
  Duration upstream_delay{};       // until this one could be submitted, at the soonest
};

enum class DeviceState {
  kReady,
  kQuarantined,  // faulty: gets no batches; a probe follows
  kProbing,      // a probe runs
};
std::string_view DeviceStateName(DeviceState state);  // "ready", "quarantined", "probing"

struct DeviceHealth {
  std::string name;
  DeviceState state = DeviceState::kReady;
  std::string reason;     // of the last fault; empty when there was none
  std::size_t lanes = 0;  // all
  std::size_t busy = 0;   // lanes that hold a batch now
  std::uint64_t faults = 0;
};

class BatchScheduler {
 public:
  virtual ~BatchScheduler() = default;

  // Opens a queue. `profile` holds what warm-up measured; it may be empty (unknown = optimistic).
  // `version` names the weights: a profile that was kept from an earlier run belongs to it.
  virtual ModelId AddModel(std::string_view name, std::string_view version,
                           const BatchLimits& limits, const std::vector<ProfilePoint>& profile) = 0;
  // Refuses what waits (Unavailable) and closes the queue; running batches finish.
  virtual void RemoveModel(ModelId model) = 0;
  // From the next decision on. Nothing that waits is lost: a smaller queue_capacity only refuses
  // newcomers. Does nothing when the model is gone. REQUIRES: as BatchLimits says.
  virtual void SetLimits(ModelId model, const BatchLimits& limits) = 0;

  // Would these be taken now, and answered in time? Overloaded with a computed retry_after,
  // DeadlineExceeded, Unavailable (no device is well) or OK. A hint: it may change before Submit.
  virtual Status Admit(ModelId model, const AdmitQuery& query) const = 0;

  // Queues the request. The reference is moved from exactly when the result is OK; else `request`
  // is left with the caller: Overloaded (queue full, or the deadline could not be met),
  // Unavailable (model removed, stopping), InvalidArgument (more items than the queue holds),
  // DeadlineExceeded. More items than max_batch are split.
  virtual Status Submit(ModelId model, ScheduledRequestPtr& request) = 0;

  // In the order of the configuration.
  virtual std::vector<DeviceHealth> Devices() const = 0;
};

}  // namespace xcloud
