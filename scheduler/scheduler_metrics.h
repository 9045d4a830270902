// The scheduler's metrics, each looked up once. References and pointers live as long as the
// registry. Thread-safe, as the metrics are. Two versions of one model share its name, so the
// queue gauge is added to and never set. What is counted as a request is a part of one, when it was
// split.
//
//   xcloud_batch_size{model}                     histogram, items of each batch
//   xcloud_queue_seconds{model}                  histogram, from Submit to the close of the batch
//   xcloud_queue_items{model}                    gauge, items that wait now
//   xcloud_batches_total{model,lane}             counter
//   xcloud_batch_closed_total{model,reason}      counter, CloseReason
//   xcloud_refused_total{model,reason}           counter, RefuseReason; Admit's refusals too
//   xcloud_batch_padding_items_total{model}      counter, items run beyond those of the batch
//   xcloud_batch_retries_total{model,reason}     counter, failed batches run again: bisect, device
//   xcloud_batching_limit{model,knob}            gauge, the knobs set last; times in
//                                              microseconds; priority 1 = high to 3 = low
//   xcloud_lane_busy_seconds{lane}               histogram, of a batch, from Start to done
//   xcloud_device_ready{device}                  gauge, 0 in quarantine
//   xcloud_device_faults_total{device}           counter
//   xcloud_device_imbalance_permille             gauge, see busy_meter.h
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch_scheduler.h"
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
  void Started(std::size_t lane, std::size_t items, std::size_t run_items, CloseReason reason);
  void Retried(bool device_failed) { (device_failed ? device_retries_ : bisections_).Add(); }
  void SetLimits(const BatchLimits& limits);
  void Refused(RefuseReason reason) const { refused_[static_cast<std::size_t>(reason)]->Add(); }

 private:
  Histogram& batch_size_;
  Histogram& queue_seconds_;
  Gauge& queue_items_;
  Counter& padding_;
  Counter& bisections_;
  Counter& device_retries_;
  std::array<Gauge*, 7> limits_{};
  std::vector<Counter*> batches_;
  std::array<Counter*, kCloseReasonNames.size()> closed_{};
  std::array<Counter*, kRefuseReasonNames.size()> refused_{};
};

struct DeviceMetrics {
  DeviceMetrics(MetricsRegistry& registry, const std::string& device);
  Gauge* ready;
  Counter* faults;
};

// One counter a lane, in the order of `lanes`.
std::vector<Histogram*> LaneBusyHistograms(MetricsRegistry& registry,
                                           const std::vector<std::string>& lanes);

}  // namespace xcloud
