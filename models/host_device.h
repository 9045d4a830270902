// XC_HOST_DEVICE: marks the arithmetic of CUDA kernels that the host's tests call as well;
// nothing to any other compiler. C++17: nvcc reads it.
#pragma once

#if defined(__CUDACC__)
#define XC_HOST_DEVICE __host__ __device__
#else
#define XC_HOST_DEVICE
#endif
