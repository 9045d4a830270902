#include "models/cuda_kernels.h"

#include <cuda_fp16.h>

namespace xcloud {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::size_t kMaxBlocks = 4096;  // the rest of a large batch comes by the stride

template <class T>
__global__ void NormalizeKernel(const std::uint8_t* __restrict__ pixels, std::size_t count,
                                NormalizeParams params, T* __restrict__ values) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < count; i += stride) {
    values[i] = static_cast<T>(NormalizedValue(pixels, i, params));
  }
}

}  // namespace

cudaError_t LaunchNormalize(const std::uint8_t* pixels, std::size_t count,
                            const NormalizeParams& params, CudaPrecision precision, void* values,
                            cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  const std::size_t wanted = (count + kThreads - 1) / kThreads;
  const unsigned blocks = static_cast<unsigned>(wanted < kMaxBlocks ? wanted : kMaxBlocks);
  if (precision == CudaPrecision::kHalf) {
    NormalizeKernel<<<blocks, kThreads, 0, stream>>>(pixels, count, params,
                                                     static_cast<__half*>(values));
  } else {
    NormalizeKernel<<<blocks, kThreads, 0, stream>>>(pixels, count, params,
                                                     static_cast<float*>(values));
  }
  return cudaGetLastError();
}

}  // namespace xcloud
