#include "models/aoti/aoti_backend.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "core/log.h"
#include "models/shown_file.h"
#include "models/stage_rows.h"
#include "models/torch_words.h"

namespace xcloud {
namespace {

using torch::inductor::AOTIModelPackageLoader;

// Packages ask for libtorch.so by name and know no folder; this program does, by its own rpath, but
// needs only the libraries behind it and so has not loaded it. Loaded once, it is found.
std::string LoadLibTorch() {
  return dlopen("libtorch.so", RTLD_NOW | RTLD_GLOBAL) != nullptr ? "" : dlerror();
}

class AotiNetwork final : public Network {
 public:
  AotiNetwork(std::shared_ptr<AOTIModelPackageLoader> package, bool any_batch,
              const ModelDefinition& model)
      : package_(std::move(package)), any_batch_(any_batch), model_(model) {
    const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
    rows_ = at::empty(BatchShape(model, max_batch), at::kFloat);
  }

  std::size_t output_size() const override { return model_.score_count(); }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(slot == 0);  // CPU lanes hold one batch
    XC_CHECK(run_items <= static_cast<std::size_t>(rows_.size(0)));
    StageRows(model_, items, run_items, rows_.data_ptr<float>());
    real_items_ = items.size();
    run_items_ = run_items;
    return Status::Ok();
  }

  Status Collect(std::size_t, float* scores) override {
    const std::string wrong = Guarded(scores);
    if (wrong.empty()) return Status::Ok();
    spdlog::error("model '{}': a batch of {} failed on AOTInductor: {}", model_.name, run_items_,
                  wrong);
    return Status::Internal("model '" + model_.name + "' failed on this batch");
  }

  // Runs what is staged; empty, or what went wrong.
  std::string Guarded(float* scores) {
    try {
      const c10::InferenceMode no_autograd;
      if (any_batch_) return RunRows(0, run_items_, real_items_, scores);
      for (std::size_t i = 0; i < real_items_; ++i) {
        std::string wrong = RunRows(i, 1, 1, scores + i * output_size());
        if (!wrong.empty()) return wrong;
      }
      return {};
    } catch (const std::exception& error) {
      return TorchReason(error);
    }
  }

 private:
  // Throws what LibTorch throws.
  std::string RunRows(std::size_t first, std::size_t rows, std::size_t real, float* scores) {
    const auto count = static_cast<std::int64_t>(rows);
    const std::vector<at::Tensor> outputs =
        package_->run({rows_.narrow(0, static_cast<std::int64_t>(first), count)});
    if (outputs.size() != 1) {
      return "it gives " + std::to_string(outputs.size()) + " outputs; it must give one";
    }
    const at::Tensor output = outputs.front().contiguous();
    const auto width = static_cast<std::int64_t>(output_size());
    const bool fits = output.dim() >= 1 && output.size(0) == count &&
                      output.numel() == count * width &&
                      (model_.values_output || output.dim() == 2);
    if (!fits) {
      return "its output for " + std::to_string(rows) + " items is " + TorchShape(output) + "; [" +
             std::to_string(rows) + ", " + std::to_string(width) + "] is declared";
    }
    if (output.scalar_type() != at::kFloat) {
      return std::string("its output holds ") + c10::toString(output.scalar_type()) +
             "; it must hold Float";
    }
    std::memcpy(scores, output.const_data_ptr<float>(), real * output_size() * sizeof(float));
    return {};
  }

  const std::shared_ptr<AOTIModelPackageLoader> package_;
  const bool any_batch_;
  const ModelDefinition model_;
  at::Tensor rows_;  // max_batch items
  std::size_t real_items_ = 0;
  std::size_t run_items_ = 0;
};

// Empty, or why the network does not do what the definition declares.
std::string Probe(AotiNetwork& network, const ModelDefinition& model) {
  const std::size_t count = ProbeItems(model);
  const std::vector<float> rows = ProbeRows(model, count);
  std::vector<NetworkItem> items;
  for (std::size_t i = 0; i < count; ++i) {
    const float* row = rows.data() + i * model.item_values();
    items.push_back({nullptr, nullptr, reinterpret_cast<const char*>(row)});
  }
  std::vector<float> scores(count * network.output_size());
  (void)network.Stage(0, items, count);
  return network.Guarded(scores.data());
}

}  // namespace

Result<std::vector<std::unique_ptr<Network>>> MakeAotiNetworks(const ModelDefinition& model,
                                                               const std::filesystem::path& file,
                                                               std::size_t lanes) {
  const std::string name = ShownFile(model, file);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return Status::InvalidArgument(name + ": no such file");
  }
  static const std::string no_libtorch = LoadLibTorch();
  if (!no_libtorch.empty()) return Status::InvalidArgument(name + ": " + no_libtorch);
  try {
    // As many runners as lanes: each runs without waiting for the others, over the same weights.
    auto package = std::make_shared<AOTIModelPackageLoader>(
        file.string(), "model", /*run_single_threaded=*/false, /*num_runners=*/lanes);
    const auto metadata = package->get_metadata();
    const auto batch = metadata.find("xcloud_batch");
    const bool any_batch = batch == metadata.end() || batch->second != "1";
    std::vector<std::unique_ptr<Network>> networks;
    for (std::size_t i = 0; i < lanes; ++i) {
      auto network = std::make_unique<AotiNetwork>(package, any_batch, model);
      if (i == 0) {
        const std::string wrong = Probe(*network, model);
        if (!wrong.empty()) return Status::InvalidArgument(name + ": " + wrong);
      }
      networks.push_back(std::move(network));
    }
    return networks;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(name + ": not an AOTInductor package that this host and build " +
                                   "can run; the server's log says more");
  }
}

}  // namespace xcloud
