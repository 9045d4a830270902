#include "models/cpu_device.h"

#include <utility>

#include "models/host_backend.h"
#include "models/null_backend.h"
#ifdef XCLOUD_HAS_TORCH
#include "models/torchscript_backend.h"
#endif

namespace xcloud {
namespace {

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(CpuDeviceOptions options) : options_(std::move(options)) {
    XC_CHECK(options_.lanes >= 1 && options_.threads >= 1);
  }

  const std::string& name() const override { return options_.name; }
  std::size_t lane_count() const override { return options_.lanes; }
  Duration hang_after() const override { return options_.hang_after; }

  void PrepareLaneThread() override {
    UsePreciseTimers();
#ifdef XCLOUD_HAS_TORCH
    SetTorchThreads(options_.threads);
#endif
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) override {
    if (auto networks = MakeHostNetworks(model, weights, options_.lanes))
      return *std::move(networks);
    if (model.reference_backend() != "torchscript") {
      return Status::InvalidArgument("model '" + model.name + "': no backend '" + model.backend +
                                     "' on device " + options_.name);
    }
#ifdef XCLOUD_HAS_TORCH
    return MakeTorchScriptNetworks(model, weights, options_.lanes);
#else
    return Status::InvalidArgument(weights.string() + ": this build has no LibTorch, so it " +
                                   "cannot run a TorchScript file (XCLOUD_TORCH=OFF)");
#endif
  }

 private:
  const CpuDeviceOptions options_;
};

}  // namespace

std::unique_ptr<Device> MakeCpuDevice(CpuDeviceOptions options) {
  return std::make_unique<CpuDevice>(std::move(options));
}

}  // namespace xcloud
