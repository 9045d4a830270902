#include "bench/server_view.h"

#include <algorithm>
#include <utility>

namespace xcloud {
namespace {

constexpr const char* kStages[] = {"receive", "decode_wait", "decode", "queue",
                                   "staging", "infer",       "reply"};
constexpr const char* kNotOffered = "not offered by this server";

using Samples = std::vector<MetricSample>;

// What was observed in between, or a note why that is unknown.
std::optional<MetricHistogram> Observed(const Samples& before, const Samples& after,
                                        const std::string& name, const LabelMatch& match,
                                        std::vector<std::string>& notes) {
  const auto end = FindHistogram(after, name, match);
  if (!end.has_value()) {
    notes.push_back(name + ": " + kNotOffered);
    return std::nullopt;
  }
  auto delta = HistogramDelta(FindHistogram(before, name, match), *end);
  if (!delta.ok()) {
    notes.push_back(name + ": " + delta.status().message());
    return std::nullopt;
  }
  if (delta->count <= 0) {
    notes.push_back(name + ": nothing was observed for this model");
    return std::nullopt;
  }
  return *std::move(delta);
}

void ReadStages(const Samples& before, const Samples& after, std::string_view model,
                const std::optional<MetricHistogram>& whole, ServerView& view) {
  const std::string name = "xcloud_stage_seconds";
  double requests = 0;
  double stage_sum = 0;
  double inside = 0;
  for (const char* stage : kStages) {
    const auto seen = Observed(before, after, name,
                               {{"model", std::string(model)}, {"stage", stage}}, view.notes);
    if (!seen.has_value()) continue;
    view.stages.push_back({stage, seen->mean() * 1e3, seen->sum});  // a sum until divided below
    requests = std::max(requests, seen->count);
    stage_sum += seen->sum;
    if (std::string_view(stage) == "decode" || std::string_view(stage) == "infer") {
      inside += seen->sum;
    }
  }
  if (stage_sum <= 0) return;
  // Stages are of successful requests. The whole-request time also holds what no stage names, but
  // it is of the same requests only when none failed; else the stages together are the whole.
  const bool same_requests = whole.has_value() && whole->count == requests;
  const double total = same_requests ? std::max(stage_sum, whole->sum) : stage_sum;
  for (StageTime& stage : view.stages) stage.share /= total;
  view.outside_decode_infer = 1 - inside / total;
}

}  // namespace

ServerView CompareScrapes(const Result<std::string>& before, const Result<std::string>& after,
                          std::string_view model) {
  ServerView view;
  for (const auto* scrape : {&before, &after}) {
    if (scrape->ok()) continue;
    view.notes.push_back("/metrics: " + (scrape->status().code() == StatusCode::kNotFound
                                             ? std::string(kNotOffered)
                                             : scrape->status().message()));
    return view;
  }
  const auto first = ParsePrometheus(*before);
  const auto second = ParsePrometheus(*after);
  for (const auto* samples : {&first, &second}) {
    if (samples->ok()) continue;
    view.notes.push_back("/metrics: " + samples->status().message());
    return view;
  }
  const LabelMatch match = {{"model", std::string(model)}};
  view.batch_size = Observed(*first, *second, "xcloud_batch_size", match, view.notes);
  const auto whole = Observed(*first, *second, "xcloud_request_seconds", match, view.notes);
  if (whole.has_value()) view.request_mean_ms = whole->mean() * 1e3;
  ReadStages(*first, *second, model, whole, view);
  return view;
}

}  // namespace xcloud
