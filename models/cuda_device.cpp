#include "models/cuda_device.h"

#include <utility>
#include <vector>

#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "models/cuda_network.h"
#include "models/null_backend.h"
#include "models/torchscript_backend.h"
#include "models/torchscript_module.h"

namespace xcloud {
namespace {

class CudaDevice final : public Device {
 public:
  CudaDevice(CudaDeviceOptions options, std::vector<c10::cuda::CUDAStream> streams,
             const Clock& clock)
      : options_(std::move(options)), streams_(std::move(streams)), clock_(clock) {}

  const std::string& name() const override { return options_.name; }
  std::size_t lane_count() const override { return streams_.size(); }

  void PrepareLaneThread() override {
    UsePreciseTimers();
    SetTorchThreads(1);  // the work is on the GPU; a lane's host side needs one thread
    (void)cudaSetDevice(options_.index);  // an error is sticky and fails the first batch
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) override {
    if (model.backend == "null") return MakeNullNetworks(model, streams_.size(), clock_);
    if (model.backend != "torchscript") {
      return Status::InvalidArgument("model '" + model.name + "': no backend '" + model.backend +
                                     "' on device " + options_.name);
    }
    TorchScriptTarget target;
    target.device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(options_.index));
    target.half = options_.half;
    target.channels_last = true;
    auto module = TorchScriptModule::Load(weights, model, target);
    if (!module.ok()) return module.status();
    // Weights were prepared on the default stream; the lanes' streams do not wait for it.
    if (const cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess) {
      return Status::InvalidArgument(weights.string() + ": " + cudaGetErrorString(error));
    }
    std::vector<std::unique_ptr<Network>> networks;
    for (const c10::cuda::CUDAStream& stream : streams_) {
      auto network = MakeCudaNetwork(*module, target, model, stream, clock_);
      if (!network.ok()) return network.status();
      networks.push_back(std::move(network).value());
    }
    return networks;
  }

 private:
  const CudaDeviceOptions options_;
  const std::vector<c10::cuda::CUDAStream> streams_;  // one a lane
  const Clock& clock_;
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

Result<std::unique_ptr<Device>> OpenCudaDevice(CudaDeviceOptions options, const Clock& clock) {
  const std::string who =
      "device '" + options.name + "' (cuda, index " + std::to_string(options.index) + "): ";
  XC_CHECK(options.lanes >= 1);
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
    std::vector<c10::cuda::CUDAStream> streams;
    for (std::size_t i = 0; i < options.lanes; ++i) {
      // High priority: short batches overtake bulk work on the same GPU. The pool has 32, so two
      // lanes share one only beyond that.
      streams.push_back(c10::cuda::getStreamFromPool(
          /*isHighPriority=*/true, static_cast<c10::DeviceIndex>(options.index)));
    }
    return std::unique_ptr<Device>(
        std::make_unique<CudaDevice>(std::move(options), std::move(streams), clock));
  } catch (const std::exception& error) {
    return Status::InvalidArgument(who + error.what());
  }
}

}  // namespace xcloud
