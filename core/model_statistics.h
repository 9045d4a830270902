// ModelStatistics: how often a version of a model was asked and where the time went, since it was
// loaded: the numbers of the Open Inference Protocol's statistics extension. Plain values.
//
// A request is one call; an inference is one item (photo); an execution is one batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"

namespace xcloud {

struct StatisticDuration {
  std::uint64_t count = 0;
  std::uint64_t ns = 0;

  void Add(Duration time, std::uint64_t n = 1) {
    count += n;
    ns += static_cast<std::uint64_t>(time.count() > 0 ? time.count() : 0);
  }
};

// Of the executions that ran this many items.
struct BatchStatistics {
  std::size_t batch_size = 0;
  StatisticDuration compute_input;   // staging into the batch
  StatisticDuration compute_infer;   // the network
  StatisticDuration compute_output;  // answers made of its scores
};

struct ModelStatistics {
  std::string name;
  std::string version;
  std::int64_t last_inference_ms = 0;  // since 1970; 0 = never
  std::uint64_t inference_count = 0;   // items answered
  std::uint64_t execution_count = 0;   // batches run
  // By request. compute_input is decoding and staging; the parts of a success add up to the time
  // from the whole body to the answer, but for hand-overs between threads.
  StatisticDuration success;
  StatisticDuration fail;
  StatisticDuration queue;
  StatisticDuration compute_input;
  StatisticDuration compute_infer;
  StatisticDuration compute_output;
  std::vector<BatchStatistics> batches;  // by rising batch_size
};

}  // namespace xcloud
