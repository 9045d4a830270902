#include "models/cuda_device.h"

#include <utility>
#include <vector>

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "core/log.h"
#include "models/cuda_network.h"
#include "models/cuda_tensor_network.h"
#include "models/host_backend.h"
#include "models/null_backend.h"
#include "models/torchscript_backend.h"
#include "models/torchscript_module.h"

namespace xcloud {
namespace {

class CudaDevice final : public Device {
 public:
  CudaDevice(CudaDeviceOptions options, std::vector<CudaLaneStreams> lanes)
      : options_(std::move(options)), lanes_(std::move(lanes)) {}

  const std::string& name() const override { return options_.name; }
  std::size_t lane_count() const override { return lanes_.size(); }
  std::size_t depth() const override { return options_.depth; }
  Duration hang_after() const override { return options_.hang_after; }
  bool wants_decoded_images() const override { return options_.resize; }

  // LibTorch keeps freed blocks for the next tensor. Those in use, and those of CUDA graphs that
  // live, stay.
  void ReleaseMemory() override {
    try {
      const c10::cuda::CUDAGuard on_device(static_cast<c10::DeviceIndex>(options_.index));
      c10::cuda::CUDACachingAllocator::emptyCache();
    } catch (const std::exception& error) {
      spdlog::warn("device {}: its free memory could not be given back: {}", options_.name,
                   error.what());
    }
  }

  void PrepareLaneThread() override {
    UsePreciseTimers();
    SetTorchThreads(1);  // the work is on the GPU; a lane's host side needs one thread
    (void)cudaSetDevice(options_.index);  // an error is sticky and fails the first batch
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) override {
    if (auto networks = MakeHostNetworks(model, weights, lanes_.size()))
      return *std::move(networks);
    const std::string_view backend = model.reference_backend();
    if (backend != "torchscript" && backend != "native") {
      return Status::InvalidArgument("model '" + model.name + "': no backend '" +
                                     std::string(backend) + "' on device " + options_.name);
    }
    try {
      return LoadNetworks(model, weights);
    } catch (const std::exception& error) {
      spdlog::error("model '{}' on device {}: {}", model.name, options_.name, error.what());
      return Status::InvalidArgument("model '" + model.name + "' could not be brought to device " +
                                     options_.name + "; the server's log says more");
    }
  }

 private:
  // On a stream of this load's own, of low priority: the lanes' streams neither wait for it nor
  // for each other, and the GPU runs theirs first.
  Result<std::vector<std::unique_ptr<Network>>> LoadNetworks(const ModelDefinition& model,
                                                             const std::filesystem::path& weights) {
    const auto index = static_cast<c10::DeviceIndex>(options_.index);
    const c10::cuda::CUDAStream loader =
        c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index);
    const c10::cuda::CUDAStreamGuard on_loader(loader);
    CudaNetworkOptions wanted;
    wanted.target.device = c10::Device(c10::kCUDA, index);
    wanted.target.half = options_.half;
    wanted.target.channels_last = true;
    wanted.slots = options_.depth;
    wanted.resize = options_.resize;
    wanted.graphs = options_.graphs;
    auto module = TorchScriptModule::Load(weights, model, wanted.target);
    if (!module.ok()) return module.status();
    std::vector<std::unique_ptr<Network>> networks;
    for (const CudaLaneStreams& lane : lanes_) {
      auto network = model.tensor_input ? MakeCudaTensorNetwork(*module, model, wanted, lane)
                                        : MakeCudaNetwork(*module, model, wanted, lane);
      if (!network.ok()) return network.status();
      networks.push_back(std::move(network).value());
    }
    // The weights are there before a lane's stream may read them. This stream only: the device
    // as a whole never waits for a load.
    loader.synchronize();
    return networks;
  }

  const CudaDeviceOptions options_;
  const std::vector<CudaLaneStreams> lanes_;
};

}  // namespace

Result<int> CountCudaDevices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();  // it was told; the next call must not meet it again
    return Status::Unavailable(std::string("no CUDA device: ") + cudaGetErrorString(error));
  }
  if (count == 0) return Status::Unavailable("no CUDA device: the driver lists none");
  return count;
}

Result<std::unique_ptr<Device>> OpenCudaDevice(CudaDeviceOptions options) {
  const std::string who =
      "device '" + options.name + "' (cuda, index " + std::to_string(options.index) + "): ";
  XC_CHECK(options.lanes >= 1 && options.depth >= 1 && options.depth <= 2);
  const Result<int> count = CountCudaDevices();
  if (!count.ok()) return Status::InvalidArgument(who + count.status().message());
  if (options.index >= *count) {
    return Status::InvalidArgument(who + "this machine has " + std::to_string(*count) +
                                   " CUDA devices, numbered from 0");
  }
  try {
    if (const cudaError_t error = cudaSetDevice(options.index); error != cudaSuccess) {
      return Status::InvalidArgument(who + cudaGetErrorString(error));
    }
    // Waits inside LibTorch then sleep instead of spinning. Refused when the context is already
    // in use; our own waits sleep anyhow, by their event's flag.
    if (cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync) != cudaSuccess) {
      (void)cudaGetLastError();
    }
    std::vector<CudaLaneStreams> lanes;
    for (std::size_t i = 0; i < options.lanes; ++i) {
      // High priority: short batches overtake bulk work on the same GPU. The pool has 32, so two
      // lanes share one only beyond that.
      lanes.push_back({c10::cuda::getStreamFromPool(
                           /*isHighPriority=*/true, static_cast<c10::DeviceIndex>(options.index)),
                       std::make_shared<CudaStream>()});
      if (const cudaError_t error = lanes.back().copy->error(); error != cudaSuccess) {
        return Status::InvalidArgument(who + cudaGetErrorString(error));
      }
    }
    return std::unique_ptr<Device>(
        std::make_unique<CudaDevice>(std::move(options), std::move(lanes)));
  } catch (const std::exception& error) {
    return Status::InvalidArgument(who + error.what());
  }
}

}  // namespace xcloud
