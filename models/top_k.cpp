#include "models/top_k.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xcloud {
namespace {

Status CheckFinite(std::span<const float> scores) {
  if (std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); })) {
    return Status::Ok();
  }
  return Status::Internal("the network gave no finite scores for this photo");
}

}  // namespace

Result<std::vector<ScoredClass>> TopK(std::span<const float> scores, Activation activation,
                                      std::size_t k) {
  XC_CHECK(!scores.empty() && k >= 1);
  if (Status status = CheckFinite(scores); !status.ok()) return status;
  k = std::min(k, scores.size());
  std::vector<std::int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  // Softmax keeps the order, so the raw scores are sorted and only the best are turned.
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    [scores](std::int32_t a, std::int32_t b) {
                      const float left = scores[static_cast<std::size_t>(a)];
                      const float right = scores[static_cast<std::size_t>(b)];
                      return left != right ? left > right : a < b;
                    });
  const float highest = scores[static_cast<std::size_t>(order.front())];
  double sum = 0;
  if (activation == Activation::kSoftmax) {
    // Terms in float (fast), their sum in double: 1000 small ones must not get lost.
    for (const float score : scores) sum += static_cast<double>(std::exp(score - highest));
  }
  std::vector<ScoredClass> best(k);
  for (std::size_t i = 0; i < k; ++i) {
    const float score = scores[static_cast<std::size_t>(order[i])];
    best[i].index = order[i];
    best[i].probability =
        activation == Activation::kNone
            ? score
            : static_cast<float>(
                  std::exp(static_cast<double>(score) - static_cast<double>(highest)) / sum);
  }
  return best;
}

Status Probabilities(std::span<const float> scores, Activation activation, std::span<float> out) {
  XC_CHECK(!scores.empty() && out.size() == scores.size());
  if (Status status = CheckFinite(scores); !status.ok()) return status;
  if (activation == Activation::kNone) {
    std::copy(scores.begin(), scores.end(), out.begin());
    return Status::Ok();
  }
  const float highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    out[i] = std::exp(scores[i] - highest);
    sum += static_cast<double>(out[i]);
  }
  for (float& value : out) value = static_cast<float>(static_cast<double>(value) / sum);
  return Status::Ok();
}

}  // namespace xcloud
