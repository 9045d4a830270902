// Prometheus: reads the text that a server's /metrics gives, as far as a benchmark needs it:
// samples, and histograms as the difference of two scrapes.
//
// Pure functions; any thread. Format: Prometheus text exposition 0.0.4.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

struct MetricSample {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;
};

// InvalidArgument names the first line that is not a sample, a comment or empty.
Result<std::vector<MetricSample>> ParsePrometheus(std::string_view text);

// One histogram at one instant, or the difference of two.
struct MetricHistogram {
  std::map<double, double> cumulative;  // upper bound (infinity last) -> count at or below it
  double sum = 0;
  double count = 0;

  double mean() const { return count > 0 ? sum / count : 0; }
};

using LabelMatch = std::map<std::string, std::string, std::less<>>;

// The histogram `name`, added up over every label set that contains `match`. Nothing when the
// server offers no such histogram. REQUIRES: label sets of one name share their bounds (ours do).
std::optional<MetricHistogram> FindHistogram(const std::vector<MetricSample>& samples,
                                             std::string_view name, const LabelMatch& match);

// What was observed between two scrapes; `before` may be absent (the series began in between).
// Unavailable when a count went down: the server restarted.
Result<MetricHistogram> HistogramDelta(const std::optional<MetricHistogram>& before,
                                       const MetricHistogram& after);

}  // namespace xcloud
