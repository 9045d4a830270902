#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/log.h"
#include "models/cpu_device.h"
#include "models/network.h"
#ifdef XCLOUD_HAS_CUDA
#include "models/cuda_device.h"
#endif

namespace xcloud {
namespace {

// What the one CPU device has when nothing is configured: a lane a core, one thread each. Measured
// with MobileNetV2 on two cores: a lane of two threads is up to 1.7 times as fast on an idle
// machine, but takes 1,200 ms instead of 16 ms once anything else, such as decoding, wants a core:
// LibTorch's OpenMP threads spin while they wait for each other. Four bounds memory and warm-up.
constexpr std::size_t kMostDefaultLanes = 4;

std::size_t Cores() {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::size_t Count(std::int64_t value) {
  return static_cast<std::size_t>(std::max(value, {}));
}

// The cores shared out over all CPU lanes, whichever device they belong to.
std::size_t ThreadsPerLane(const std::vector<DeviceConfig>& configs) {
  std::size_t lanes = 0;
  for (const DeviceConfig& config : configs) {
    if (config.kind == "cpu") lanes += Count(config.lanes);
  }
  return std::max<std::size_t>(1, Cores() / std::max<std::size_t>(1, lanes));
}

#ifdef XCLOUD_HAS_CUDA
bool HasCudaDevice() {
  const Result<int> count = CountCudaDevices();
  if (!count.ok()) spdlog::info("{}; using the CPU", count.status().message());
  return count.ok();
}

Result<std::unique_ptr<Device>> OpenCuda(const DeviceConfig& config, const std::string& name) {
  CudaDeviceOptions options;
  options.name = name;
  options.index = static_cast<int>(config.index);
  options.lanes = Count(config.lanes);
  options.half = config.precision == "fp16";
  options.depth = Count(config.staged_batches);
  options.resize = config.resize == "gpu";
  options.hang_after = std::chrono::milliseconds(config.hang_timeout_ms);
  return OpenCudaDevice(std::move(options));
}
#else
bool HasCudaDevice() {
  return false;
}

Result<std::unique_ptr<Device>> OpenCuda(const DeviceConfig& config, const std::string& name) {
  return Status::InvalidArgument("device '" + name + "' (cuda, index " +
                                 std::to_string(config.index) +
                                 "): this program was built without CUDA");
}
#endif

Result<std::unique_ptr<Device>> OpenDevice(const DeviceConfig& config, const std::string& name,
                                           std::size_t default_threads) {
  if (config.lanes < 1) {
    return Status::InvalidArgument("device '" + name + "': needs at least one lane");
  }
  if (config.kind == "cuda") return OpenCuda(config, name);
  if (config.kind != "cpu") {
    return Status::InvalidArgument("device '" + name + "': kind '" + config.kind +
                                   "' is neither cpu nor cuda");
  }
  if (config.resize == "gpu") {
    return Status::InvalidArgument("device '" + name + "': resize = \"gpu\" is for kind cuda");
  }
  CpuDeviceOptions options;
  options.name = name;
  options.hang_after = std::chrono::milliseconds(config.hang_timeout_ms);
  options.lanes = Count(config.lanes);
  options.threads = config.threads > 0 ? Count(config.threads) : default_threads;
  if (options.threads > 1 && std::getenv("OMP_WAIT_POLICY") == nullptr) {
    // OpenMP reads it when the program is loaded, so it is too late to set it here.
    spdlog::warn(
        "device '{}': lanes of {} threads stall when other work wants their cores; start "
        "with OMP_WAIT_POLICY=passive, or use more lanes of one thread",
        name, options.threads);
  }
  return MakeCpuDevice(std::move(options));
}

// A photo is decoded before anybody knows its lane, so either every lane resizes or none does.
Status CheckResizersAgree(const std::vector<DeviceConfig>& configs) {
  for (const DeviceConfig& config : configs) {
    if (config.resize != configs.front().resize) {
      return Status::InvalidArgument(
          "[[device]] resize: some devices say \"cpu\" and some \"gpu\"; all must say the same");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<std::unique_ptr<Device>>> OpenDevices(const std::vector<DeviceConfig>& configs) {
  std::vector<DeviceConfig> wanted = configs;
  if (wanted.empty()) {
    DeviceConfig only;
    if (HasCudaDevice()) {
      only.kind = "cuda";
    } else {
      only.lanes = static_cast<std::int64_t>(std::min(Cores(), kMostDefaultLanes));
    }
    wanted.push_back(only);
  }
  if (Status status = CheckResizersAgree(wanted); !status.ok()) return status;
  const std::size_t default_threads = ThreadsPerLane(wanted);
  std::vector<std::unique_ptr<Device>> devices;
  std::set<std::string> names;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const DeviceConfig& config = wanted[i];
    const std::string name = config.name.empty() ? config.kind + std::to_string(i) : config.name;
    // A name is a profile, a metric label and part of every answer: two of them would mix.
    if (!names.insert(name).second) {
      return Status::InvalidArgument("device '" + name + "': two devices have this name");
    }
    auto device = OpenDevice(config, name, default_threads);
    if (!device.ok()) return device.status();
    devices.push_back(std::move(device).value());
  }
  return devices;
}

}  // namespace xcloud
