#include "models/preprocess_geometry.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"

namespace xcloud {

ResizedSize PlanResize(int width, int height, const PreprocessSpec& spec) {
  XC_CHECK(width >= 1 && height >= 1 && spec.resize_width >= 1);
  if (spec.mode == ResizeMode::kSquash) {
    XC_CHECK(spec.resize_height >= 1);
    return {spec.resize_width, spec.resize_height};
  }
  const auto scaled = [&](std::int64_t side, std::int64_t short_side) {
    // Python divides two ints into the nearest double, then int() cuts.
    return static_cast<std::int64_t>(static_cast<double>(spec.resize_width * side) /
                                     static_cast<double>(short_side));
  };
  if (width <= height) return {spec.resize_width, scaled(height, width)};
  return {scaled(width, height), spec.resize_width};
}

CropSpan PlanCrop(std::int64_t resized, int crop) {
  XC_CHECK(resized >= 1 && crop >= 1);
  CropSpan span;
  if (resized < crop) {
    span.count = static_cast<int>(resized);
    span.pad = (crop - span.count) / 2;
    return span;
  }
  const std::int64_t surplus = resized - crop;
  const std::int64_t half = surplus / 2;
  span.first = half + (surplus % 2 != 0 && half % 2 != 0 ? 1 : 0);
  span.count = crop;
  return span;
}

ResampleTable MakeResampleTable(int source, std::int64_t resized, const CropSpan& span) {
  const double scale = static_cast<double>(source) / static_cast<double>(resized);
  const double support = std::max(scale, 1.0);  // the triangle's half width, in source pixels
  const double narrow = 1.0 / support;
  ResampleTable table;
  table.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  const auto count = static_cast<std::size_t>(span.count);
  table.start.reserve(count);
  table.taps.reserve(count);
  table.weights.assign(count * static_cast<std::size_t>(table.stride), 0);
  std::vector<double> raw(static_cast<std::size_t>(table.stride));
  for (std::size_t i = 0; i < count; ++i) {
    const double position = static_cast<double>(span.first + static_cast<std::int64_t>(i));
    const double center = (position + 0.5) * scale;
    const int start = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(source, static_cast<int>(center + support + 0.5));
    const int taps = end - start;
    double sum = 0;
    for (int k = 0; k < taps; ++k) {
      const double distance = std::abs((k + start - center + 0.5) * narrow);
      const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
      raw[static_cast<std::size_t>(k)] = weight;
      sum += weight;
    }
    XC_CHECK(taps >= 1 && taps <= table.stride && sum > 0);
    std::int32_t* weights = table.weights.data() + i * static_cast<std::size_t>(table.stride);
    for (int k = 0; k < taps; ++k) {
      const double share = raw[static_cast<std::size_t>(k)] / sum;
      weights[k] = static_cast<std::int32_t>(0.5 + share * (1 << kWeightBits));
    }
    table.start.push_back(start);
    table.taps.push_back(taps);
    table.max_taps = std::max(table.max_taps, taps);
  }
  return table;
}

}  // namespace xcloud
