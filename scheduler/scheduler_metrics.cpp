#include "scheduler/scheduler_metrics.h"

namespace xcloud {
namespace {

Labels Model(std::string_view model) {
  return {{"model", std::string(model)}};
}

Labels ModelReason(std::string_view model, std::string_view reason) {
  return {{"model", std::string(model)}, {"reason", std::string(reason)}};
}

}  // namespace

ModelMetrics::ModelMetrics(MetricsRegistry& registry, std::string_view model,
                           const std::vector<std::string>& lanes)
    : batch_size_(registry.GetHistogram("xcloud_batch_size", "Items in each batch that started.",
                                        BatchSizeBounds(), Model(model))),
      queue_seconds_(registry.GetHistogram("xcloud_queue_seconds",
                                           "Time of a request in the queue until its batch closed.",
                                           LatencyBoundsSeconds(), Model(model))),
      queue_items_(
          registry.GetGauge("xcloud_queue_items", "Items that wait for a lane.", Model(model))) {
  for (const std::string& lane : lanes) {
    batches_.push_back(&registry.GetCounter("xcloud_batches_total", "Batches that started.",
                                            {{"model", std::string(model)}, {"lane", lane}}));
  }
  for (std::size_t i = 0; i < closed_.size(); ++i) {
    closed_[i] = &registry.GetCounter("xcloud_batch_closed_total", "Batches by why they closed.",
                                      ModelReason(model, kCloseReasonNames[i]));
  }
  for (std::size_t i = 0; i < refused_.size(); ++i) {
    refused_[i] =
        &registry.GetCounter("xcloud_refused_total", "Requests that the scheduler refused, by why.",
                             ModelReason(model, kRefuseReasonNames[i]));
  }
}

void ModelMetrics::Waited(Duration time) {
  queue_seconds_.Observe(std::chrono::duration<double>(time).count());
}

void ModelMetrics::Started(std::size_t lane, std::size_t items, CloseReason reason) {
  batch_size_.Observe(static_cast<double>(items));
  batches_[lane]->Add();
  closed_[static_cast<std::size_t>(reason)]->Add();
}

std::vector<Counter*> LaneBusyCounters(MetricsRegistry& registry,
                                       const std::vector<std::string>& lanes) {
  std::vector<Counter*> counters;
  counters.reserve(lanes.size());
  for (const std::string& lane : lanes) {
    counters.push_back(&registry.GetCounter("xcloud_lane_busy_microseconds_total",
                                            "Time from the start of a batch to its end.",
                                            {{"lane", lane}}));
  }
  return counters;
}

}  // namespace xcloud
