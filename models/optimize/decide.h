// Decide: how close a variant is to its reference, and which one a host should serve.
//
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/optimize/candidate.h"
#include "models/optimize/report.h"

namespace xcloud {

struct Difference {
  double max_error = 0;       // of a probability; of a model of values, of the largest value
  double top1_agreement = 1;  // share of items with the same likeliest label; 1 for values
};

// Raw scores of both, item by item; only the items of these numbers count. Internal when a score
// is not finite.
Result<Difference> Compare(const ModelDefinition& model, std::span<const float> reference,
                           std::span<const float> variant, std::span<const std::size_t> numbers);

// What a variant must keep.
struct DecisionRules {
  double min_gain = 0.05;       // share by which it must be faster
  double max_error = 1e-3;      // of variants that compute in fp32
  double min_agreement = 0.99;  // of quantised ones, on photos that they were not calibrated on
  bool allow_int8 = false;      // quantised ones are considered at all
  std::size_t min_photos = 50;  // fewer say nothing about a quantised one
  LaneLayout layout;            // the one whose times decide
};

// Quantised: its errors are not rounding, and it takes the operator's leave.
bool IsQuantised(const VariantReport& variant);

// Items/s against the reference's in the layout that decides: the smallest ratio over the batch
// sizes, less 1. 0.3 = 30 % faster at least. REQUIRES: both measured, with the same batches.
double Gain(const VariantReport& variant, const VariantReport& reference, LaneLayout layout);

// Fills in `chosen` and `why`: the fastest of those that keep the rules, or the reference.
void Decide(const DecisionRules& rules, OptimizeReport& report);

}  // namespace xcloud
