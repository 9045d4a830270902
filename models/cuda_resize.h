// The arithmetic of the CUDA resize kernel: ragged photos, each of its own size, packed into one
// buffer, to the pixels of a batch.
//
// Plain functions for host and device alike, so that a machine without a GPU can test them bit for
// bit against ResizeAndCrop (tests/models/cuda_resize_test.cpp). C++17, no LibTorch: nvcc reads it.
//
// Integers only: the weights are ResampleTable's, made on the host, so the sums and the rounding
// between the two passes are those of models/preprocess.cpp and the pixels are equal, not close.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/host_device.h"

namespace xcloud {

// One axis of one photo. Tables are ints of the batch's table buffer: start[count], taps[count],
// weights[count * stride]; position i of the resized span is the weighted sum of the source
// positions start[i] ... start[i] + taps[i] - 1.
struct RaggedAxis {
  std::uint64_t tables = 0;  // index of start[0]
  std::int32_t pad = 0;      // output positions before the span; they are black
  std::int32_t count = 0;    // output positions in it
  std::int32_t stride = 0;
};

// One photo of the batch.
struct RaggedItem {
  std::uint64_t pixels = 0;  // byte of the packed buffer where its first row starts
  std::int32_t width = 0;    // pixels of a source row; no padding between rows
  RaggedAxis across;
  RaggedAxis down;
};

inline constexpr int kRaggedWeightBits = 22;  // kWeightBits of models/preprocess_geometry.h

// One pixel of a source row, resampled horizontally: 0 to 255 for each channel.
XC_HOST_DEVICE inline void ResampledAcross(const std::uint8_t* row, const std::int32_t* weights,
                                           int taps, std::int32_t out[3]) {
  constexpr std::int32_t half = 1 << (kRaggedWeightBits - 1);
  std::int32_t sum[3] = {half, half, half};
  for (int k = 0; k < taps; ++k) {
    for (int c = 0; c < 3; ++c) sum[c] += row[k * 3 + c] * weights[k];
  }
  for (int c = 0; c < 3; ++c) {
    const std::int32_t value = sum[c] >> kRaggedWeightBits;
    out[c] = value < 255 ? value : 255;
  }
}

// RGB of output pixel (x, y) of the item: resized, cropped, black outside of the photo.
XC_HOST_DEVICE inline void ResizedPixel(const RaggedItem& item, const std::uint8_t* packed,
                                        const std::int32_t* tables, int x, int y,
                                        std::uint8_t rgb[3]) {
  const int column = x - item.across.pad;
  const int line = y - item.down.pad;
  rgb[0] = rgb[1] = rgb[2] = 0;
  if (column < 0 || column >= item.across.count || line < 0 || line >= item.down.count) return;
  const std::int32_t* columns = tables + item.across.tables;
  const std::int32_t* lines = tables + item.down.tables;
  const std::int32_t* x_weights = columns + 2 * item.across.count + column * item.across.stride;
  const std::int32_t* y_weights = lines + 2 * item.down.count + line * item.down.stride;
  const std::size_t row_bytes = static_cast<std::size_t>(item.width) * 3;
  const std::uint8_t* row = packed + item.pixels +
                            static_cast<std::size_t>(lines[line]) * row_bytes +
                            static_cast<std::size_t>(columns[column]) * 3;
  constexpr std::int32_t half = 1 << (kRaggedWeightBits - 1);
  std::int32_t sum[3] = {half, half, half};
  const int x_taps = columns[item.across.count + column];
  const int y_taps = lines[item.down.count + line];
  for (int k = 0; k < y_taps; ++k, row += row_bytes) {
    std::int32_t value[3];
    ResampledAcross(row, x_weights, x_taps, value);
    for (int c = 0; c < 3; ++c) sum[c] += value[c] * y_weights[k];
  }
  for (int c = 0; c < 3; ++c) {
    const std::int32_t value = sum[c] >> kRaggedWeightBits;
    rgb[c] = static_cast<std::uint8_t>(value < 255 ? value : 255);
  }
}

}  // namespace xcloud
