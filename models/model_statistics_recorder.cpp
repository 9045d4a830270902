#include "models/model_statistics_recorder.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace xcloud {
namespace {

enum PartIndex : std::size_t { kRequest, kQueue, kInput, kInfer, kOutput };

struct PartWords {
  std::string_view name;
  std::string_view help;
};
constexpr std::array<PartWords, 5> kPartWords = {
    PartWords{"request", "From the whole request to its answer"},
    PartWords{"queue", "Waiting for a decode thread and for a batch"},
    PartWords{"compute_input", "Decoding and staging"}, PartWords{"compute_infer", "The network"},
    PartWords{"compute_output", "Making the answer"}};

enum ReasonIndex : std::size_t { kRejected, kCanceled, kBackend, kOther };
constexpr std::array<std::string_view, 4> kReasonNames = {"REJECTED", "CANCELED", "BACKEND",
                                                          "OTHER"};

std::size_t ReasonOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOverloaded:
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
      return kRejected;
    case StatusCode::kCancelled:
      return kCanceled;
    case StatusCode::kInternal:
      return kBackend;
    default:
      return kOther;
  }
}

// 100 us to 1 s, 1-2-5 per decade.
const std::vector<double>& BoundsMicroseconds() {
  static const std::vector<double> bounds = {100,     200,     500,      1'000,  2'000,
                                             5'000,   10'000,  20'000,   50'000, 100'000,
                                             200'000, 500'000, 1'000'000};
  return bounds;
}

// Zero where a stage was not reached: tensors are not decoded.
Duration Between(TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to == TimePoint{}) return {};
  return std::max(to - from, Duration::zero());
}

std::array<Duration, 5> PartsOf(const StageTimes& at) {
  std::array<Duration, 5> times{};
  times[kRequest] = Between(at.received, at.answered);
  const bool decoded = at.decode_start != TimePoint{};
  times[kQueue] = Between(at.enqueued, at.batch_closed) +
                  Between(at.received, decoded ? at.decode_start : at.enqueued);
  times[kInput] =
      Between(at.decode_start, at.decode_end) + Between(at.batch_closed, at.forward_start);
  times[kInfer] = Between(at.forward_start, at.forward_end);
  times[kOutput] = Between(at.forward_end, at.answered);
  return times;
}

}  // namespace

ModelStatisticsRecorder::ModelStatisticsRecorder(MetricsRegistry& registry, std::string model,
                                                 std::string version, std::size_t max_batch) {
  const Labels labels = {{"model", model}, {"version", version}};
  success_ = &registry.GetCounter("nv_inference_request_success", "Requests answered.", labels);
  for (std::size_t i = 0; i < kReasons; ++i) {
    failures_[i] = &registry.GetCounter(
        "nv_inference_request_failure", "Requests that were not answered, by why.",
        {{"model", model}, {"reason", std::string(kReasonNames[i])}, {"version", version}});
  }
  items_ = &registry.GetCounter("nv_inference_count", "Items (photos) answered.", labels);
  batches_ = &registry.GetCounter("nv_inference_exec_count", "Batches run.", labels);
  pending_ = &registry.GetGauge("nv_inference_pending_request_count",
                                "Requests accepted of which no batch has started.", labels);
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < kParts; ++i) {
    const std::string name = "nv_inference_" + std::string(kPartWords[i].name) + "_duration";
    const std::string help(kPartWords[i].help);
    parts_[i].microseconds =
        &registry.GetCounter(name + "_us", help + ", microseconds, summed.", labels);
    parts_[i].histogram = &registry.GetHistogram(name + "_histogram_us", help + ", microseconds.",
                                                 BoundsMicroseconds(), labels);
  }
  totals_.name = std::move(model);
  totals_.version = std::move(version);
  totals_.batches.resize(std::max<std::size_t>(max_batch, 1));
  for (std::size_t i = 0; i < totals_.batches.size(); ++i) totals_.batches[i].batch_size = i + 1;
}

void ModelStatisticsRecorder::RequestEnded(const InferenceResult& result, std::size_t items,
                                           WallTime now) {
  const std::array<Duration, kParts> times = PartsOf(result.stages);
  if (!result.status.ok()) {
    failures_[ReasonOf(result.status.code())]->Add();
    MutexLock lock(mutex_);
    totals_.fail.Add(times[kRequest]);
    return;
  }
  success_->Add();
  items_->Add(items);
  MutexLock lock(mutex_);
  Succeeded(times, items, now);
}

void ModelStatisticsRecorder::RequestRefused(StatusCode why) {
  failures_[ReasonOf(why)]->Add();
  MutexLock lock(mutex_);
  totals_.fail.Add(Duration::zero());
}

void ModelStatisticsRecorder::Succeeded(const std::array<Duration, kParts>& times,
                                        std::size_t items, WallTime now) {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  for (std::size_t i = 0; i < kParts; ++i) {
    Part& part = parts_[i];
    part.histogram->Observe(std::chrono::duration<double, std::micro>(times[i]).count());
    part.carry += times[i];
    const auto whole = std::chrono::duration_cast<microseconds>(part.carry);
    part.carry -= whole;
    part.microseconds->Add(static_cast<std::uint64_t>(whole.count()));
  }
  totals_.success.Add(times[kRequest]);
  totals_.queue.Add(times[kQueue]);
  totals_.compute_input.Add(times[kInput]);
  totals_.compute_infer.Add(times[kInfer]);
  totals_.compute_output.Add(times[kOutput]);
  totals_.inference_count += items;
  totals_.last_inference_ms =
      std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
}

void ModelStatisticsRecorder::BatchRan(std::size_t items, Duration input, Duration infer) {
  batches_->Add();
  MutexLock lock(mutex_);
  ++totals_.execution_count;
  BatchStatistics& batch = totals_.batches.at(items - 1);
  batch.compute_input.Add(input);
  batch.compute_infer.Add(infer);
}

void ModelStatisticsRecorder::BatchAnswered(std::size_t items, Duration output) {
  MutexLock lock(mutex_);
  totals_.batches.at(items - 1).compute_output.Add(output);
}

ModelStatistics ModelStatisticsRecorder::Snapshot() const {
  ModelStatistics snapshot;
  {
    MutexLock lock(mutex_);
    snapshot = totals_;
  }
  std::erase_if(snapshot.batches,
                [](const BatchStatistics& one) { return one.compute_infer.count == 0; });
  return snapshot;
}

}  // namespace xcloud
