// PreprocessSpec: how a photo becomes a network's input, as model.toml's [preprocess] says it.
//
// The order is fixed: resize, crop, then value = (pixel * scale - mean) / std per channel.
#pragma once

#include <array>
#include <cstddef>

namespace xcloud {

enum class ResizeMode {
  kShortSide,  // short side to resize_width, the other in proportion; then a centred crop
  kSquash,     // to resize_width x resize_height whatever the proportions; then a centred crop
};
enum class ColorOrder { kRgb, kBgr };
enum class TensorLayout { kNchw, kNhwc };

struct PreprocessSpec {
  ResizeMode mode = ResizeMode::kShortSide;
  int resize_width = 256;   // pixels; for kShortSide the short side
  int resize_height = 256;  // pixels; unused for kShortSide
  int crop_width = 224;     // pixels; the network's input
  int crop_height = 224;
  ColorOrder color = ColorOrder::kRgb;        // of the network's channels; mean and std follow it
  TensorLayout layout = TensorLayout::kNchw;  // of the network's input
  float scale = 1.0F / 255.0F;
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> std = {0.229F, 0.224F, 0.225F};

  // Bytes of one resized and cropped item: crop_height * crop_width * 3, RGB, interleaved.
  std::size_t PixelBytes() const {
    return static_cast<std::size_t>(crop_width) * static_cast<std::size_t>(crop_height) * 3;
  }
};

}  // namespace xcloud
