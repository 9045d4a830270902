#include "models/cuda_kernels.h"

#include <cuda_fp16.h>

namespace xcloud {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::size_t kMaxBlocks = 4096;  // the rest of a large batch comes by the stride

unsigned BlocksFor(std::size_t work) {
  const std::size_t wanted = (work + kThreads - 1) / kThreads;
  return static_cast<unsigned>(wanted < kMaxBlocks ? wanted : kMaxBlocks);
}

// Nearest, ties to even, also where the host compiler's default would not say so.
__device__ inline void Store(float value, float* out) {
  *out = value;
}
__device__ inline void Store(float value, __half* out) {
  *out = __float2half_rn(value);
}

template <class T>
__global__ void NormalizeKernel(const std::uint8_t* __restrict__ pixels, std::size_t count,
                                NormalizeParams params, T* __restrict__ values) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < count; i += stride) Store(NormalizedValue(pixels, i, params), values + i);
}

// A thread an output pixel. Neighbours in a warp read neighbouring source columns of the same
// rows, so the horizontal sums that two output rows share are read from cache, not from memory.
template <class T>
__global__ void ResizeNormalizeKernel(RaggedBatch batch, NormalizeParams params,
                                      T* __restrict__ values) {
  const std::size_t row = static_cast<std::size_t>(batch.crop_width);
  const std::size_t pixels = row * static_cast<std::size_t>(batch.crop_height);
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < batch.count * pixels; i += stride) {
    const std::size_t at = i % pixels;
    std::uint8_t rgb[3];
    ResizedPixel(batch.items[i / pixels], batch.packed, batch.tables, static_cast<int>(at % row),
                 static_cast<int>(at / row), rgb);
    for (std::size_t c = 0; c < 3; ++c) {
      Store(NormalizedValue(rgb, c, params), values + i * 3 + c);
    }
  }
}

}  // namespace

cudaError_t LaunchNormalize(const std::uint8_t* pixels, std::size_t count,
                            const NormalizeParams& params, CudaPrecision precision, void* values,
                            cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  if (precision == CudaPrecision::kHalf) {
    NormalizeKernel<<<BlocksFor(count), kThreads, 0, stream>>>(pixels, count, params,
                                                               static_cast<__half*>(values));
  } else {
    NormalizeKernel<<<BlocksFor(count), kThreads, 0, stream>>>(pixels, count, params,
                                                               static_cast<float*>(values));
  }
  return cudaGetLastError();
}

cudaError_t LaunchResizeNormalize(const RaggedBatch& batch, const NormalizeParams& params,
                                  CudaPrecision precision, void* values, cudaStream_t stream) {
  const std::size_t pixels = batch.count * static_cast<std::size_t>(batch.crop_width) *
                             static_cast<std::size_t>(batch.crop_height);
  if (pixels == 0) return cudaSuccess;
  if (precision == CudaPrecision::kHalf) {
    ResizeNormalizeKernel<<<BlocksFor(pixels), kThreads, 0, stream>>>(batch, params,
                                                                      static_cast<__half*>(values));
  } else {
    ResizeNormalizeKernel<<<BlocksFor(pixels), kThreads, 0, stream>>>(batch, params,
                                                                      static_cast<float*>(values));
  }
  return cudaGetLastError();
}

}  // namespace xcloud
