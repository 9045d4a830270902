// The scheduler's metrics, each looked up once. References and pointers live as long as the
// registry. Thread-safe, as the metrics are. Two versions of one model share its name, so the
// gauge is added to and never set.
//
//   xcloud_batch_size{model}                     histogram, items of each batch
//   xcloud_queue_seconds{model}                  histogram, from Submit to the close of the batch
//   xcloud_queue_items{model}                    gauge, items that wait now
//   xcloud_batches_total{model,lane}             counter
//   xcloud_batch_closed_total{model,reason}      counter, CloseReason
//   xcloud_refused_total{model,reason}           counter, RefuseReason; Admit's refusals too
//   xcloud_lane_busy_microseconds_total{lane}    counter, from Start to done
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "scheduler/reasons.h"

namespace xcloud {

class ModelMetrics {
 public:
  ModelMetrics(MetricsRegistry& registry, std::string_view model,
               const std::vector<std::string>& lanes);

  void Queued(std::size_t items) { queue_items_.Add(static_cast<std::int64_t>(items)); }
  // One request left the queue, for a lane or refused.
  void Left(std::size_t items) { queue_items_.Add(-static_cast<std::int64_t>(items)); }
  void Waited(Duration time);
  void Started(std::size_t lane, std::size_t items, CloseReason reason);
  void Refused(RefuseReason reason) const { refused_[static_cast<std::size_t>(reason)]->Add(); }

 private:
  Histogram& batch_size_;
  Histogram& queue_seconds_;
  Gauge& queue_items_;
  std::vector<Counter*> batches_;
  std::array<Counter*, kCloseReasonNames.size()> closed_{};
  std::array<Counter*, kRefuseReasonNames.size()> refused_{};
};

// One counter a lane, in the order of `lanes`.
std::vector<Counter*> LaneBusyCounters(MetricsRegistry& registry,
                                       const std::vector<std::string>& lanes);

}  // namespace xcloud
