// RequestMetrics: counts and times of requests, for /metrics.
//
//   xcloud_requests_total{endpoint,code}          answered requests; code = HTTP status
//   xcloud_request_seconds{endpoint,model}        first byte to answer written
//   xcloud_stage_seconds{model,stage}             where the time of a successful inference went;
//                                                 the stages of one request add up to the whole
//   xcloud_expiry_lateness_seconds{model}         a deadline's instant to its 504 written
//
// Threads: one object per io thread, so that looking a metric up takes no lock; the metrics
// themselves are shared. `model` is only ever the name of a published service, so the number of
// series is bounded.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/metrics.h"
#include "core/request.h"

namespace xcloud {

class RequestMetrics {
 public:
  explicit RequestMetrics(MetricsRegistry& registry) : registry_(registry) {}

  // `endpoint` is a row of the route table ("POST /cv/{service}"): it lives as long as the
  // program. `model` may be empty.
  void CountRequest(std::string_view endpoint, std::string_view model, int status,
                    Duration elapsed);
  // A request whose deadline passed was told so `lateness` after it.
  void ObserveExpiry(std::string_view model, Duration lateness);
  // REQUIRES: every stage was reached.
  void ObserveStages(std::string_view model, const StageTimes& stages, TimePoint written);

 private:
  static constexpr std::size_t kStageCount = 7;
  using StageHistograms = std::array<Histogram*, kStageCount>;

  Counter& RequestCounter(std::string_view endpoint, int status);
  Histogram& RequestSeconds(std::string_view endpoint, std::string_view model);
  StageHistograms& Stages(std::string_view model);

  MetricsRegistry& registry_;
  std::map<std::pair<std::string_view, int>, Counter*> counters_;
  std::map<std::string_view, std::map<std::string, Histogram*, std::less<>>> seconds_;
  std::map<std::string, StageHistograms, std::less<>> stages_;
  std::map<std::string, Histogram*, std::less<>> expiries_;
};

// The stages as everyone shows them: the log row, Server-Timing, explain, the metrics. A stage
// that was not reached is zero.
Duration DecodeTime(const StageTimes& stages);
// Decoded, or of tensors handed to the scheduler, to given to a lane.
Duration QueueTime(const StageTimes& stages);
Duration StagingTime(const StageTimes& stages);
Duration InferTime(const StageTimes& stages);

}  // namespace xcloud
