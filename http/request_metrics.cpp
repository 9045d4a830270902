#include "http/request_metrics.h"

#include <chrono>
#include <vector>

namespace xcloud {
namespace {

constexpr std::string_view kStageNames[] = {"receive", "decode_wait", "decode", "queue",
                                            "staging", "infer",       "reply"};

double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

// Finer than latencies are: an expiry is to be told within 2 ms.
const std::vector<double>& ExpiryBoundsSeconds() {
  static const std::vector<double> bounds = {0.00005, 0.0001, 0.0002, 0.0005, 0.001,
                                             0.002,   0.005,  0.01,   0.1,    1};
  return bounds;
}

Duration Between(TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to < from) return Duration{};
  return to - from;
}

// Tensors are not decoded: they go to the scheduler as they are.
Duration DecodeWait(const StageTimes& s) {
  return Between(s.received, s.decode_start != TimePoint{} ? s.decode_start : s.enqueued);
}

}  // namespace

Duration DecodeTime(const StageTimes& s) {
  return Between(s.decode_start, s.decode_end);
}
Duration QueueTime(const StageTimes& s) {
  return Between(s.decode_end != TimePoint{} ? s.decode_end : s.enqueued, s.batch_closed);
}
Duration StagingTime(const StageTimes& s) {
  return Between(s.batch_closed, s.forward_start);
}
Duration InferTime(const StageTimes& s) {
  return Between(s.forward_start, s.forward_end);
}

Counter& RequestMetrics::RequestCounter(std::string_view endpoint, int status) {
  Counter*& slot = counters_[{endpoint, status}];
  if (slot == nullptr) {
    slot = &registry_.GetCounter(
        "xcloud_requests_total", "Requests answered, by endpoint and HTTP status.",
        {{"endpoint", std::string(endpoint)}, {"code", std::to_string(status)}});
  }
  return *slot;
}

Histogram& RequestMetrics::RequestSeconds(std::string_view endpoint, std::string_view model) {
  auto& by_model = seconds_[endpoint];
  const auto found = by_model.find(model);
  if (found != by_model.end()) return *found->second;
  Histogram& histogram = registry_.GetHistogram(
      "xcloud_request_seconds", "Time from a request's first byte to its answer written.",
      LatencyBoundsSeconds(), {{"endpoint", std::string(endpoint)}, {"model", std::string(model)}});
  by_model.emplace(model, &histogram);
  return histogram;
}

RequestMetrics::StageHistograms& RequestMetrics::Stages(std::string_view model) {
  const auto found = stages_.find(model);
  if (found != stages_.end()) return found->second;
  StageHistograms histograms{};
  for (std::size_t i = 0; i < kStageCount; ++i) {
    histograms[i] = &registry_.GetHistogram(
        "xcloud_stage_seconds",
        "Where the time of a successful inference went; the stages add up to the whole.",
        LatencyBoundsSeconds(),
        {{"model", std::string(model)}, {"stage", std::string(kStageNames[i])}});
  }
  return stages_.emplace(model, histograms).first->second;
}

void RequestMetrics::CountRequest(std::string_view endpoint, std::string_view model, int status,
                                  Duration elapsed) {
  RequestCounter(endpoint, status).Add();
  RequestSeconds(endpoint, model).Observe(Seconds(elapsed));
}

void RequestMetrics::ObserveExpiry(std::string_view model, Duration lateness) {
  auto found = expiries_.find(model);
  if (found == expiries_.end()) {
    Histogram& histogram = registry_.GetHistogram(
        "xcloud_expiry_lateness_seconds", "Time from a request's deadline to its 504 written.",
        ExpiryBoundsSeconds(), {{"model", std::string(model)}});
    found = expiries_.emplace(model, &histogram).first;
  }
  found->second->Observe(Seconds(lateness));
}

void RequestMetrics::ObserveStages(std::string_view model, const StageTimes& stages,
                                   TimePoint written) {
  const Duration times[kStageCount] = {
      Between(stages.first_byte, stages.received),
      DecodeWait(stages),
      DecodeTime(stages),
      QueueTime(stages),
      StagingTime(stages),
      InferTime(stages),
      Between(stages.forward_end, written),
  };
  const StageHistograms& histograms = Stages(model);
  for (std::size_t i = 0; i < kStageCount; ++i) histograms[i]->Observe(Seconds(times[i]));
}

}  // namespace xcloud
