#include "scheduler/scheduler_metrics.h"

namespace xcloud {
namespace {

Labels Model(std::string_view model) {
  return {{"model", std::string(model)}};
}

Labels ModelReason(std::string_view model, std::string_view reason) {
  return {{"model", std::string(model)}, {"reason", std::string(reason)}};
}

Counter& Retries(MetricsRegistry& registry, std::string_view model, std::string_view reason) {
  return registry.GetCounter("xcloud_batch_retries_total",
                             "Batches that failed and were run again, by why.",
                             ModelReason(model, reason));
}

constexpr std::array<std::string_view, 7> kKnobs = {
    "max_batch", "queue_capacity", "max_queue_delay", "latency_goal",
    "defer",     "patience",       "priority"};

std::int64_t Microseconds(Duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
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
          registry.GetGauge("xcloud_queue_items", "Items that wait for a lane.", Model(model))),
      padding_(registry.GetCounter("xcloud_batch_padding_items_total",
                                   "Items run beyond those of the batch, to reach a cheaper size.",
                                   Model(model))),
      bisections_(Retries(registry, model, "bisect")),
      device_retries_(Retries(registry, model, "device")) {
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    limits_[i] = &registry.GetGauge(
        "xcloud_batching_limit", "Batching knobs in force; times in microseconds.",
        {{"model", std::string(model)}, {"knob", std::string(kKnobs[i])}});
  }
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

void ModelMetrics::SetLimits(const BatchLimits& limits) {
  const std::array<std::int64_t, 7> values = {static_cast<std::int64_t>(limits.max_batch),
                                              static_cast<std::int64_t>(limits.queue_capacity),
                                              Microseconds(limits.max_queue_delay),
                                              Microseconds(limits.latency_goal),
                                              limits.defer ? 1 : 0,
                                              Microseconds(limits.patience),
                                              static_cast<std::int64_t>(limits.priority)};
  for (std::size_t i = 0; i < values.size(); ++i) limits_[i]->Set(values[i]);
}

void ModelMetrics::Started(std::size_t lane, std::size_t items, std::size_t run_items,
                           CloseReason reason) {
  batch_size_.Observe(static_cast<double>(items));
  if (run_items > items) padding_.Add(run_items - items);
  batches_[lane]->Add();
  closed_[static_cast<std::size_t>(reason)]->Add();
}

DeviceMetrics::DeviceMetrics(MetricsRegistry& registry, const std::string& device)
    : ready(&registry.GetGauge("xcloud_device_ready", "0 while the device is in quarantine.",
                               {{"device", device}})),
      faults(&registry.GetCounter("xcloud_device_faults_total",
                                  "Batches that failed because of the device, or hung.",
                                  {{"device", device}})) {
  ready->Set(1);
}

std::vector<Histogram*> LaneBusyHistograms(MetricsRegistry& registry,
                                           const std::vector<std::string>& lanes) {
  std::vector<Histogram*> histograms;
  histograms.reserve(lanes.size());
  for (const std::string& lane : lanes) {
    histograms.push_back(&registry.GetHistogram("xcloud_lane_busy_seconds",
                                                "Time from the start of a batch to its end.",
                                                LatencyBoundsSeconds(), {{"lane", lane}}));
  }
  return histograms;
}

}  // namespace xcloud
