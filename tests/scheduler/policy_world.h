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
  bool probe = false;
};

class PolicyWorld {
 public:
  explicit PolicyWorld(std::vector<LaneView> lane_views, std::size_t device_count = 1)
      : lanes(std::move(lane_views)), devices_(device_count) {}

  // Gives the queue's number. The bound of its queue is out of the way.
  // A patience of a day keeps the order of those without a deadline behind the others.
  std::size_t AddQueue(std::size_t max_batch, double delay_ms = 0) {
    queues_.push_back(std::make_unique<ModelQueue>(100'000));
    profiles_.push_back(std::make_unique<BatchProfile>(devices_));
    BatchLimits limits;
    limits.max_batch = max_batch;
    limits.max_queue_delay = Ms(delay_ms);
    limits.patience = std::chrono::hours(24);
    QueueView view;
    view.waiting = queues_.back().get();
    view.profile = profiles_.back().get();
    view.limits = limits;
    views.push_back(view);
    return views.size() - 1;
  }

  // The request comes at its arrival. The pointer is good until it leaves the queue.
  PuppetRequest* Add(std::size_t queue, const Push& push) {
    auto request = std::make_shared<PuppetRequest>(ledger_);
    PuppetRequest* const raw = request.get();
    request->items = push.items;
    request->priority = push.priority;
    request->arrival = AtMs(push.arrival_ms);
    if (push.deadline_ms) request->deadline = Deadline::At(AtMs(*push.deadline_ms));
    ScheduledRequestPtr queued = std::move(request);
    XC_CHECK(queues_[queue]->TryPush(queued, AtMs(push.arrival_ms), views[queue].limits.patience,
                                     push.probe));
    return raw;
  }

  // A batch of n takes n * ms on the device, for every n up to `max_batch`.
  void LearnLinear(std::size_t queue, double ms, std::size_t max_batch, std::size_t device = 0) {
    for (std::size_t n = 1; n <= max_batch; ++n) {
      profiles_[queue]->Learn(device, n, Ms(ms * static_cast<double>(n)));
    }
  }
  PolicyDecision DecideAt(double ms, bool draining = false) const {
    return Decide({views, lanes, AtMs(ms), draining, passed_over});
  }
  BatchProfile& profile(std::size_t queue) { return *profiles_[queue]; }
  ModelQueue& queue(std::size_t queue) { return *queues_[queue]; }

  std::vector<LaneView> lanes;
  std::vector<QueueView> views;
  PassedOver passed_over{};

 private:
  const std::size_t devices_;
  RequestLedger ledger_;
  std::vector<std::unique_ptr<ModelQueue>> queues_;
  std::vector<std::unique_ptr<BatchProfile>> profiles_;
};

}  // namespace xcloud
