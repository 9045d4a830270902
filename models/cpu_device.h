// CpuDevice: a Device whose lanes are CPU threads, each with `threads` of them inside LibTorch.
// Two of them in one configuration are how two-device scheduling runs without a GPU.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/clock.h"
#include "models/network.h"

namespace xcloud {

struct CpuDeviceOptions {
  std::string name;
  std::size_t lanes = 1;    // >= 1
  std::size_t threads = 1;  // of one lane; >= 1
  Duration hang_after{};    // Device::hang_after
};

std::unique_ptr<Device> MakeCpuDevice(CpuDeviceOptions options);

}  // namespace xcloud
