// The arithmetic of the CUDA staging kernel: which pixel becomes which value of the batch.
//
// Plain functions for host and device alike, so that a machine without a GPU can test them
// against NormalizeInto (tests/models/cuda_normalize_test.cpp). C++17, no LibTorch: nvcc reads it.
//
// The pixels of a batch lie one item after the other, RGB interleaved; the values lie in the same
// order, channel innermost. That is NHWC, and NCHW in the channels-last memory format, which is
// what convolutions on tensor cores want: one kernel serves both layouts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/host_device.h"

namespace xcloud {

// PreprocessSpec's share of it; per channel of the network. NormalizeParamsOf
// (models/resize_plan.h) makes it.
struct NormalizeParams {
  float divisor = 1.0F;  // ScaleDivisor(spec.scale)
  float mean[3] = {0.0F, 0.0F, 0.0F};
  float std[3] = {1.0F, 1.0F, 1.0F};
  int bgr = 0;  // 1: the network's channel 0 is blue
};

// Where in the pixels the value `index` of the batch comes from.
XC_HOST_DEVICE inline std::size_t NormalizeSource(std::size_t index, int bgr) {
  const std::size_t channel = index % 3;
  return bgr != 0 ? index - channel + (2 - channel) : index;
}

// Value `index` of the batch: (pixel / divisor - mean) / std of its channel: NormalizeInto's very
// steps, without a multiplication that a compiler could fuse, so that the bits are the same.
XC_HOST_DEVICE inline float NormalizedValue(const std::uint8_t* pixels, std::size_t index,
                                            const NormalizeParams& params) {
  const std::size_t channel = index % 3;
  const float pixel = static_cast<float>(pixels[NormalizeSource(index, params.bgr)]);
  return (pixel / params.divisor - params.mean[channel]) / params.std[channel];
}

}  // namespace xcloud
