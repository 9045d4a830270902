#include "models/cpu_device.h"

#include <string>
#include <string_view>
#include <utility>

#include "models/host_backend.h"
#include "models/null_backend.h"
#include "models/optimize/host_key.h"
#ifdef XCLOUD_HAS_OPENVINO
#include "models/openvino/openvino_backend.h"
#endif
#ifdef XCLOUD_HAS_TORCH
#include "models/aoti/aoti_backend.h"
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
  bool runs_on_host() const override { return true; }

  std::string host_key() const override { return CpuHostKey(); }

  void PrepareLaneThread() override {
    UsePreciseTimers();
#ifdef XCLOUD_HAS_TORCH
    SetTorchThreads(options_.threads);
#endif
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) override {
    if (auto networks = MakeHostNetworks(model, weights, options_.lanes)) {
      return *std::move(networks);
    }
    const std::string_view backend = model.reference_backend();
    if (backend == "torchscript" || backend == "native") {
#ifdef XCLOUD_HAS_TORCH
      return MakeTorchScriptNetworks(model, weights, options_.lanes);
#else
      return Absent(model, "LibTorch, so it cannot run a TorchScript file (XCLOUD_TORCH=OFF)");
#endif
    }
    if (backend == "aotinductor") {
#ifdef XCLOUD_HAS_TORCH
      return MakeAotiNetworks(model, weights, options_.lanes);
#else
      return Absent(model, "LibTorch, so it cannot run an AOTInductor package (XCLOUD_TORCH=OFF)");
#endif
    }
    if (backend == "openvino") {
#ifdef XCLOUD_HAS_OPENVINO
      return MakeOpenVinoNetworks(model, weights, options_.lanes, options_.threads);
#else
      return Absent(model, "OpenVINO, so it cannot run ONNX or IR files (XCLOUD_OPENVINO=OFF)");
#endif
    }
    return Status::InvalidArgument("model '" + model.name + "': no backend '" +
                                   std::string(backend) + "' on device " + options_.name);
  }

 private:
  [[maybe_unused]] static Status Absent(const ModelDefinition& model, const std::string& what) {
    return Status::InvalidArgument("model '" + model.name + "': this build has no " + what);
  }

  const CpuDeviceOptions options_;
};

}  // namespace

std::unique_ptr<Device> MakeCpuDevice(CpuDeviceOptions options) {
  return std::make_unique<CpuDevice>(std::move(options));
}

}  // namespace xcloud
