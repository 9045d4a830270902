// FairShare: how much lane time each model has used, on a scale that is fair to newcomers.
//
// Start-time fair queueing (Goyal, Vin, Cheng 1997) with equal weights: a virtual clock stands at
// the lane time that the last served queue had at its start; a queue that had nothing to do is
// lifted to it when it comes back, so idle hours are no credit. The policy serves no queue that
// is more than kFairWindow ahead of another that waits.
// Not thread-safe: guarded by the owner of the views.
#pragma once

#include <algorithm>

#include "scheduler/policy.h"

namespace xcloud {

class FairShare {
 public:
  // The queue was empty, with nothing running, and a request came.
  void Join(QueueView& queue) const { queue.lane_time = std::max(queue.lane_time, virtual_now_); }
  void Start(QueueView& queue, Duration expected) {
    virtual_now_ = std::max(virtual_now_, queue.lane_time);
    queue.lane_time += expected;
  }
  // Settles what Start charged.
  static void Finish(QueueView& queue, Duration expected, Duration actual) {
    queue.lane_time += actual - expected;
  }

 private:
  Duration virtual_now_{};
};

}  // namespace xcloud
