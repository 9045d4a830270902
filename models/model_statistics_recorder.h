// ModelStatisticsRecorder: what a loaded version of a model did, since it was loaded, for
// InferenceService::Statistics; and the same as Prometheus metrics under Triton's names.
//
// Thread safety: every method from any thread. A lock is held for some tens of additions and never
// while anything is allocated or waited for; metrics are looked up once, when this is made.
//
//   nv_inference_request_success{model,version}                 counter, requests
//   nv_inference_request_failure{model,reason,version}          counter; REJECTED, CANCELED,
//                                                               BACKEND, OTHER
//   nv_inference_count{model,version}                           counter, items answered
//   nv_inference_exec_count{model,version}                      counter, batches
//   nv_inference_pending_request_count{model,version}           gauge, until a batch starts
//   nv_inference_PART_duration_us{model,version}                counter of whole microseconds
//   nv_inference_PART_duration_histogram_us{model,version}      histogram
// PART: request, queue, compute_input, compute_infer, compute_output, of requests that succeeded.
// Source: Triton's docs/user_guide/metrics.md; the histograms are those proposed in its core#474.
// Counters go on over reloads of a version; Snapshot() begins anew with each load.
//
// Parts of a request: compute_input is decoding, and staging as seen from the close of its batch;
// queue is the wait for a decode thread and for a batch. The rest is as StageTimes names it. Of a
// request that was split, they are those of its last batch.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/model_statistics.h"
#include "core/mutex.h"
#include "core/request.h"

namespace xcloud {

class ModelStatisticsRecorder {
 public:
  // `registry` must outlive this. Batches have 1 to max_batch items.
  ModelStatisticsRecorder(MetricsRegistry& registry, std::string model, std::string version,
                          std::size_t max_batch);

  // A request was accepted; its first batch has started, or it ended without one.
  void Accepted() { pending_->Add(1); }
  void Started() { pending_->Add(-1); }

  // A request of `items` has ended; result.stages.answered is set.
  void RequestEnded(const InferenceResult& result, std::size_t items, WallTime now)
      XC_EXCLUDES(mutex_);

  // A request was refused before it came in: one that failed after no time.
  void RequestRefused(StatusCode why) XC_EXCLUDES(mutex_);

  // A batch ran, before its answers are made: whoever has an answer finds its batch counted.
  void BatchRan(std::size_t items, Duration input, Duration infer) XC_EXCLUDES(mutex_);
  // Its answers are made.
  void BatchAnswered(std::size_t items, Duration output) XC_EXCLUDES(mutex_);

  ModelStatistics Snapshot() const XC_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kParts = 5;
  static constexpr std::size_t kReasons = 4;
  struct Part {
    Counter* microseconds = nullptr;
    Histogram* histogram = nullptr;
    Duration carry{};  // what is left of whole microseconds
  };

  void Succeeded(const std::array<Duration, kParts>& times, std::size_t items, WallTime now)
      XC_REQUIRES(mutex_);

  Counter* success_ = nullptr;
  std::array<Counter*, kReasons> failures_{};
  Counter* items_ = nullptr;
  Counter* batches_ = nullptr;
  Gauge* pending_ = nullptr;
  mutable Mutex mutex_;
  std::array<Part, kParts> parts_ XC_GUARDED_BY(mutex_);
  ModelStatistics totals_ XC_GUARDED_BY(mutex_);  // batches[n - 1]: of n items
};

}  // namespace xcloud
