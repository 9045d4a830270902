// ServerView: what the server says about itself, read from two scrapes of its /metrics around a
// run: batch sizes, and where the time of a request went.
//
// Pure functions; any thread. Numbers hold for every caller of that model between the scrapes,
// so they describe the run only when nobody else calls.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/prometheus.h"
#include "core/result.h"

namespace xcloud {

struct StageTime {
  std::string name;    // "receive", "decode_wait", ..., in the order of a request's life
  double mean_ms = 0;  // per request
  double share = 0;    // of a successful request's whole time
};

struct ServerView {
  // Each part is absent when the server does not offer it.
  std::optional<MetricHistogram> batch_size;  // items per batch
  std::vector<StageTime> stages;
  std::optional<double> request_mean_ms;       // whole request, failed ones too
  std::optional<double> outside_decode_infer;  // share of a successful request's time in neither
  std::vector<std::string> notes;              // why something is absent
};

// `before` and `after` are texts of /metrics, or why there is none.
ServerView CompareScrapes(const Result<std::string>& before, const Result<std::string>& after,
                          std::string_view model);

}  // namespace xcloud
