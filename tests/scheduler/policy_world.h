// PolicyWorld: queues, lanes and a profile to put before Decide, written in milliseconds.
// Instants count from an arbitrary start. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "scheduler/policy.h"
#include "tests/support/puppet_request.h"

namespace xcloud {

inline Duration Ms(double ms) {
  return FromMilliseconds(ms);
}
inline TimePoint AtMs(double ms) {
  return TimePoint(std::chrono::hours(1)) + Ms(ms);
}

struct Push {
  double arrival_ms = 0;
  std::optional<double> deadline_ms;  // empty = none
  Priority priority = Priority::kNormal;
  std::size_t items = 1;
};

class PolicyWorld {
 public:
  explicit PolicyWorld(std::vector<LaneView> lane_views, std::size_t device_count = 1)
      : lanes(std::move(lane_views)), devices_(device_count) {}

  // Gives the queue's number. The bound of its queue is out of the way.
  std::size_t AddQueue(std::size_t max_batch, double delay_ms = 0) {
    queues_.push_back(std::make_unique<ModelQueue>(100'000));
    profiles_.push_back(std::make_unique<BatchProfile>(devices_));
    BatchLimits limits;
    limits.max_batch = max_batch;
    limits.max_queue_delay = Ms(delay_ms);
    views.push_back({queues_.back().get(), profiles_.back().get(), limits, 0});
    return views.size() - 1;
  }

  // The request comes at its arrival. The pointer is good until it leaves the queue.
  PuppetRequest* Add(std::size_t queue, const Push& push) {
    auto request = std::make_unique<PuppetRequest>(ledger_);
    PuppetRequest* const raw = request.get();
    request->items = push.items;
    request->priority = push.priority;
    request->arrival = AtMs(push.arrival_ms);
    if (push.deadline_ms) request->deadline = Deadline::At(AtMs(*push.deadline_ms));
    ScheduledRequestPtr queued = std::move(request);
    XC_CHECK(queues_[queue]->TryPush(queued, AtMs(push.arrival_ms)));
    return raw;
  }

  PolicyDecision DecideAt(double ms, bool draining = false) const {
    return Decide({views, lanes, AtMs(ms), draining});
  }
  BatchProfile& profile(std::size_t queue) { return *profiles_[queue]; }
  ModelQueue& queue(std::size_t queue) { return *queues_[queue]; }

  std::vector<LaneView> lanes;
  std::vector<QueueView> views;

 private:
  const std::size_t devices_;
  RequestLedger ledger_;
  std::vector<std::unique_ptr<ModelQueue>> queues_;
  std::vector<std::unique_ptr<BatchProfile>> profiles_;
};

}  // namespace xcloud
