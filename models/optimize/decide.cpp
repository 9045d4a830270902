#include "models/optimize/decide.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "models/top_k.h"

namespace xcloud {
namespace {

// Why it may not be served however fast it is; empty = it may.
std::string WhyNotServed(const VariantReport& variant, const DecisionRules& rules,
                         std::size_t photos) {
  if (!IsQuantised(variant)) {
    if (variant.max_error <= rules.max_error) return {};
    return fmt::format("its largest error is {:.1e}, over {:.1e}", variant.max_error,
                       rules.max_error);
  }
  if (!rules.allow_int8) return "quantised variants need --allow-int8";
  if (photos < rules.min_photos) {
    return fmt::format("{} photos are too few to judge it; {} are needed", photos,
                       rules.min_photos);
  }
  if (variant.top1_agreement >= rules.min_agreement) return {};
  return fmt::format("it names the same label for {:.1f} % of the photos only, {:.1f} % are needed",
                     100 * variant.top1_agreement, 100 * rules.min_agreement);
}

}  // namespace

bool IsQuantised(const VariantReport& variant) {
  return variant.name.find("int8") != std::string::npos;
}

Result<Difference> Compare(const ModelDefinition& model, std::span<const float> reference,
                           std::span<const float> variant, std::span<const std::size_t> numbers) {
  const std::size_t width = model.score_count();
  XC_CHECK(reference.size() == variant.size() && width > 0);
  Difference difference;
  std::size_t same = 0;
  double error = 0;
  double largest = 0;
  std::vector<float> expected(width);
  std::vector<float> found(width);
  const Activation activation = model.values_output ? Activation::kNone : model.activation;
  for (const std::size_t number : numbers) {
    Status status = Probabilities(reference.subspan(number * width, width), activation, expected);
    if (status.ok()) {
      status = Probabilities(variant.subspan(number * width, width), activation, found);
    }
    if (!status.ok()) return status;
    for (std::size_t k = 0; k < width; ++k) {
      error = std::max(error, std::abs(double{expected[k]} - found[k]));
      largest = std::max(largest, std::abs(double{expected[k]}));
    }
    same += std::max_element(expected.begin(), expected.end()) - expected.begin() ==
                    std::max_element(found.begin(), found.end()) - found.begin()
                ? 1
                : 0;
  }
  difference.max_error = model.values_output && largest > 0 ? error / largest : error;
  if (!model.values_output && !numbers.empty()) {
    difference.top1_agreement = static_cast<double>(same) / static_cast<double>(numbers.size());
  }
  return difference;
}

double Gain(const VariantReport& variant, const VariantReport& reference, LaneLayout layout) {
  double smallest = INFINITY;
  for (const VariantTiming& theirs : reference.timings) {
    if (theirs.lanes != layout.lanes || theirs.threads != layout.threads) continue;
    const auto ours = std::find_if(
        variant.timings.begin(), variant.timings.end(), [&](const VariantTiming& timing) {
          return timing.lanes == theirs.lanes && timing.threads == theirs.threads &&
                 timing.batch == theirs.batch;
        });
    XC_CHECK(ours != variant.timings.end());
    smallest = std::min(smallest, ours->items_per_second / theirs.items_per_second - 1);
  }
  XC_CHECK(std::isfinite(smallest));
  return smallest;
}

void Decide(const DecisionRules& rules, OptimizeReport& report) {
  report.chosen = kReferenceName;
  std::string refused;
  double best = rules.min_gain;
  for (const VariantReport& variant : report.variants) {
    if (!variant.measured()) continue;
    const double gain = Gain(variant, report.reference, rules.layout);
    if (gain < best) continue;
    if (std::string why = WhyNotServed(variant, rules, report.photos); !why.empty()) {
      refused +=
          fmt::format(" {} would be {:.0f} % faster, but {}.", variant.name, 100 * gain, why);
      continue;
    }
    best = gain;
    report.chosen = variant.name;
    report.why = fmt::format(
        "It is {:.0f} % faster than {} with {} lanes of {} threads (the smallest gain over the "
        "batch sizes).",
        100 * gain, report.reference.name, rules.layout.lanes, rules.layout.threads);
  }
  if (report.chosen == kReferenceName) {
    report.why =
        fmt::format("No variant that may be served is {:.0f} % faster.", 100 * rules.min_gain);
  }
  report.why += refused;
}

}  // namespace xcloud
