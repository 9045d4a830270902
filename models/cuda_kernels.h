// The room's CUDA kernels as host functions. No LibTorch in here or in cuda_kernels.cu: nvcc 13
// compiles it as C++17 in seconds.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "models/cuda_normalize.h"

namespace xcloud {

enum class CudaPrecision { kFloat, kHalf };

// Queues on `stream`: values[i] = NormalizedValue(pixels, i) for i < count, as float or __half.
// Both pointers are device memory; `count` is a multiple of 3. Returns the launch's error; the
// kernel's own errors surface at the next synchronisation.
cudaError_t LaunchNormalize(const std::uint8_t* pixels, std::size_t count,
                            const NormalizeParams& params, CudaPrecision precision, void* values,
                            cudaStream_t stream);

}  // namespace xcloud
