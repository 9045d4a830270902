#include "bench/policies/scenario.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>

#include "bench/arrivals.h"
#include "core/status.h"

namespace xcloud {
namespace {

template <class Number>
bool ReadNumber(std::string_view text, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

BatchTimes BatchTimes::Affine(double base_ms, double item_ms) {
  BatchTimes times;
  times.points_ = {{1, base_ms + item_ms}, {2, base_ms + 2 * item_ms}};
  char text[64];
  std::snprintf(text, sizeof(text), "%g + %g b ms", base_ms, item_ms);
  times.text_ = text;
  return times;
}

Result<BatchTimes> BatchTimes::Parse(std::string_view text) {
  BatchTimes times;
  times.text_ = "measured (" + std::string(text) + ") ms";
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t colon = word.find(':');
    Point point;
    if (colon == std::string_view::npos || !ReadNumber(word.substr(0, colon), point.items) ||
        !ReadNumber(word.substr(colon + 1), point.ms) || point.items == 0 || !(point.ms > 0) ||
        point.ms > 3'600'000) {
      return Status::InvalidArgument("'" + std::string(word) +
                                     "' is not items:milliseconds, like 4:98.5");
    }
    if (!times.points_.empty() && point.items <= times.points_.back().items) {
      return Status::InvalidArgument("the items must rise: " + std::to_string(point.items) +
                                     " comes after " + std::to_string(times.points_.back().items));
    }
    times.points_.push_back(point);
  }
  if (times.points_.empty()) return Status::InvalidArgument("needs at least one items:ms");
  return times;
}

double BatchTimes::Ms(std::size_t items) const {
  XC_CHECK(!points_.empty() && items > 0);
  if (items <= points_.front().items || points_.size() == 1) return points_.front().ms;
  std::size_t upper = 1;
  while (upper + 1 < points_.size() && points_[upper].items < items) ++upper;
  const Point& a = points_[upper - 1];
  const Point& b = points_[upper];
  const double slope = (b.ms - a.ms) / static_cast<double>(b.items - a.items);
  const double beyond = static_cast<double>(items) - static_cast<double>(b.items);
  return b.ms + (beyond > 0 ? std::max(slope, 0.0) : slope) * beyond;
}

double Scenario::CapacityPerSecond() const {
  double best_per_ms = 0;
  for (std::size_t b = 1; b <= max_batch; ++b) {
    best_per_ms = std::max(best_per_ms, static_cast<double>(b) / times.Ms(b));
  }
  return static_cast<double>(lanes) * best_per_ms * 1e3;
}

std::vector<Scenario> StandardScenarios() {
  const BatchTimes h100 = BatchTimes::Affine(1, 0.03);
  return {
      {"h100", "H100-like", 1, 1, h100, 15, 64},
      {"two-gpus", "two GPUs", 2, 1, BatchTimes::Affine(8, 1), 100, 64},
      {"cpu-resnet18", "CPU, ResNet18-like", 1, 1, BatchTimes::Affine(2, 28), 250, 16},
      {"cpu-densenet121", "CPU, DenseNet121-like", 1, 1, BatchTimes::Affine(12, 55), 500, 16},
      {"shared-gpu", "8 models share one H100-like", 1, 8, h100, 20, 64},
      {"shared-cpu", "6 models share one CPU", 1, 6, BatchTimes::Affine(12, 55), 500, 16},
  };
}

std::vector<SimRequest> MakeArrivals(const Scenario& scenario, double load, std::size_t requests,
                                     std::uint64_t seed) {
  const double rate = load * scenario.CapacityPerSecond();
  const Duration length = FromMilliseconds(static_cast<double>(requests) / rate * 1e3);
  const Duration slo = FromMilliseconds(scenario.slo_ms);
  // Another stream than the gaps': a model must not go with the gap before it.
  std::mt19937_64 engine(~seed);
  std::vector<SimRequest> out;
  for (const Duration at : PlanArrivals(ArrivalProcess::kPoisson, rate, length, seed)) {
    SimRequest request;
    request.id = static_cast<std::uint32_t>(out.size());
    request.model = static_cast<std::uint32_t>((engine() >> 11) % scenario.models);
    // Not from 0: a default TimePoint means "no instant" to the scheduler.
    request.arrival = TimePoint(std::chrono::hours(1)) + at;
    request.deadline = request.arrival + slo;
    out.push_back(request);
  }
  return out;
}

}  // namespace xcloud
