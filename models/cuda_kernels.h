// The room's CUDA kernels as host functions. No LibTorch in here or in cuda_kernels.cu: nvcc 13
// compiles it as C++17 in seconds.
//
// Each queues on `stream` and returns the launch's error; the kernel's own errors surface at the
// next synchronisation. All pointers are device memory. Values are written as float or __half,
// channel innermost, which serves NHWC, and NCHW in the channels-last memory format.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "models/cuda_normalize.h"
#include "models/cuda_resize.h"

namespace xcloud {

enum class CudaPrecision { kFloat, kHalf };

// values[i] = NormalizedValue(pixels, i) for i < count. `count` is a multiple of 3.
cudaError_t LaunchNormalize(const std::uint8_t* pixels, std::size_t count,
                            const NormalizeParams& params, CudaPrecision precision, void* values,
                            cudaStream_t stream);

// A batch of photos of any sizes: resized, cropped and normalised in one pass, an item a row of
// crop_height * crop_width * 3 values. models/cuda_resize.h says what the pointers hold.
struct RaggedBatch {
  const RaggedItem* items = nullptr;
  const std::uint8_t* packed = nullptr;
  const std::int32_t* tables = nullptr;
  std::size_t count = 0;
  int crop_width = 0;
  int crop_height = 0;
};
cudaError_t LaunchResizeNormalize(const RaggedBatch& batch, const NormalizeParams& params,
                                  CudaPrecision precision, void* values, cudaStream_t stream);

}  // namespace xcloud
