// What tests/support/make_test_modules.py's Reference network must answer, computed by hand, and
// the model definitions and pixels that tests feed it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/model_definition.h"

namespace xcloud::testing {

inline constexpr int kHeight = 6;
inline constexpr int kWidth = 8;
using Scores = std::array<float, 3>;

inline std::filesystem::path TestModule(const std::string& name) {
  return std::filesystem::path(XCLOUD_BINARY_DIR) / "test_modules" / (name + ".pt");
}

// Three labels; input values are pixel / 255.
inline ModelDefinition ReferenceModel(std::size_t max_batch) {
  ModelDefinition model;
  model.name = "reference";
  model.backend = "torchscript";
  model.preprocess.crop_width = kWidth;
  model.preprocess.crop_height = kHeight;
  model.preprocess.mean = {0, 0, 0};
  model.preprocess.std = {1, 1, 1};
  model.labels = {"a", "b", "c"};
  model.batching.max_batch = max_batch;
  return model;
}

// Distinct pictures for distinct seeds; no white pixel.
inline std::vector<std::uint8_t> Picture(int seed) {
  std::vector<std::uint8_t> pixels(kHeight * kWidth * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] =
        static_cast<std::uint8_t>((i * 37 + static_cast<std::size_t>(seed) * 71 + i * i) % 250);
  }
  return pixels;
}

inline Scores ReferenceScores(const std::vector<std::uint8_t>& rgb) {
  std::array<double, 4> mean{};
  const std::size_t count = rgb.size() / 3;
  for (std::size_t p = 0; p < count; ++p) {
    for (int o = 0; o < 4; ++o) {
      double sum = 0.1 * o - 0.1;
      for (int c = 0; c < 3; ++c) {
        sum += ((o * 3 + c) % 5 - 2) * 0.5 * rgb[p * 3 + static_cast<std::size_t>(c)] / 255.0;
      }
      const double normed = (sum - 0.1 * o) / std::sqrt(1.0 + o + 1e-5);
      mean[static_cast<std::size_t>(o)] += std::max(0.0, normed) / static_cast<double>(count);
    }
  }
  Scores scores{};
  for (int k = 0; k < 3; ++k) {
    double sum = 0.5 * k;
    for (int o = 0; o < 4; ++o) {
      sum += ((k * 4 + o) % 7 - 3) * 0.25 * mean[static_cast<std::size_t>(o)];
    }
    scores[static_cast<std::size_t>(k)] = static_cast<float>(sum);
  }
  return scores;
}

}  // namespace xcloud::testing
