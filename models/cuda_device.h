// CudaDevice: a Device whose lanes are CUDA streams of one GPU, each with pinned staging memory
// for every network. Two devices may name the same GPU. Plain types only; in builds with CUDA
// only (XCLOUD_HAS_CUDA).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "models/network.h"

namespace xcloud {

struct CudaDeviceOptions {
  std::string name;
  int index = 0;          // CUDA's number of the GPU
  std::size_t lanes = 1;  // >= 1
  bool half = false;      // fp16 weights and input, fp32 scores
};

// GPUs that can be used now. Unavailable, with the driver's reason, when there is none.
Result<int> CountCudaDevices();

// InvalidArgument names the device and why it cannot be had. The clock must outlive the device
// and its networks.
Result<std::unique_ptr<Device>> OpenCudaDevice(CudaDeviceOptions options, const Clock& clock);

}  // namespace xcloud
