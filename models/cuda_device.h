// CudaDevice: a Device whose lanes are pairs of CUDA streams of one GPU, one that copies and one
// that runs, each with pinned staging memory for every network. Two devices may name the same GPU.
// Plain types only; in builds with CUDA only (XCLOUD_HAS_CUDA).
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
  std::size_t depth = 2;  // batches a lane, 1 or 2
  bool resize = false;    // photos come decoded, and are resized here
  bool graphs = true;     // false: every forward is eager, for tests
  Duration hang_after{};  // Device::hang_after
};

// GPUs that can be used now. Unavailable, with the driver's reason, when there is none.
Result<int> CountCudaDevices();

// InvalidArgument names the device and why it cannot be had.
Result<std::unique_ptr<Device>> OpenCudaDevice(CudaDeviceOptions options);

}  // namespace xcloud
