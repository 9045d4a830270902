#include "models/zoo/load.h"

#include <string>
#include <utility>

#include "models/zoo/layers.h"
#include "models/zoo/state_dict.h"
#include "models/zoo/trace.h"
#include "models/zoo/zoo.h"

namespace xcloud::zoo {

bool IsWeightsFile(const std::filesystem::path& file) {
  const std::string ending = file.extension().string();
  return ending == ".safetensors" || ending == ".pth" || ending == ".ckpt";
}

Result<torch::jit::Module> LoadZooModule(std::string_view network, std::int64_t outputs,
                                         const std::filesystem::path& weights,
                                         std::span<const std::int64_t> item_dims) {
  Result<LayerPtr> layer = MakeZooNetwork(network, outputs);
  if (!layer.ok()) return layer.status();
  const ZooEntry& entry = *FindZooEntry(network);
  const Result<StateDict> read = ReadStateDict(weights);
  if (!read.ok()) return read.status();
  if (Status status = LoadStateDict(*read, entry.training_only, **layer); !status.ok()) {
    return Status::InvalidArgument(weights.filename().string() + ", read as " +
                                   std::string(network) + ": " + status.message());
  }
  return TraceNetwork(**layer, item_dims.empty() ? std::span(entry.input) : item_dims);
}

}  // namespace xcloud::zoo
