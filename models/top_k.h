// TopK: a network's raw outputs to probabilities, and to its likeliest classes. Pure; any thread; a
// few microseconds for 1000 classes, because it runs on the lane between two batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

struct ScoredClass {
  std::int32_t index = 0;
  float probability = 0.0F;
};

// The `k` likeliest by falling probability, equal ones by rising index; all when there are fewer.
// kSoftmax turns logits into probabilities, without overflow; kNone takes the outputs as they are.
// Internal when an output is not finite. REQUIRES: scores not empty, k >= 1.
Result<std::vector<ScoredClass>> TopK(std::span<const float> scores, Activation activation,
                                      std::size_t k);

// All of them, in the order of the scores. REQUIRES: out.size() == scores.size(), not empty.
Status Probabilities(std::span<const float> scores, Activation activation, std::span<float> out);

}  // namespace xcloud
