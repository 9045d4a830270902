#include "models/host_backend.h"

#include "models/null_backend.h"
#ifdef XCLOUD_HAS_BRISQUE
#include "models/brisque_backend.h"
#endif

namespace xcloud {

std::optional<Result<std::vector<std::unique_ptr<Network>>>> MakeHostNetworks(
    const ModelDefinition& model, const std::filesystem::path& weights, std::size_t lanes) {
  if (model.synthetic()) return MakeNullNetworks(model, lanes);
  if (!model.on_host()) return std::nullopt;
#ifdef XCLOUD_HAS_BRISQUE
  return MakeBrisqueNetworks(model, weights, lanes);
#else
  return Status::InvalidArgument(weights.filename().string() +
                                 ": this build has no BRISQUE (OpenCV's contributed modules)");
#endif
}

}  // namespace xcloud
