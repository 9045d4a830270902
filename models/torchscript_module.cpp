#include "models/torchscript_module.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "core/log.h"
#include "models/shown_file.h"
#include "models/stage_rows.h"
#include "models/torch_words.h"
#include "models/zoo/load.h"

namespace xcloud {
namespace {

// How far optimize_for_inference may move an output of the frozen network, as a share of the
// largest one: folding and other convolution kernels round differently, by about 1e-6.
constexpr double kOptimizedTolerance = 1e-3;

at::Tensor ProbeBatch(const ModelDefinition& model, const TorchScriptTarget& target) {
  const std::size_t items = ProbeItems(model);
  const std::vector<float> rows = ProbeRows(model, items);
  at::Tensor batch = at::empty(BatchShape(model, items), at::kFloat);
  std::memcpy(batch.data_ptr<float>(), rows.data(), rows.size() * sizeof(float));
  return batch.to(target.device, target.half ? at::kHalf : at::kFloat);
}

// The file's network on the CPU or already on `device`: a TorchScript file as it is, or a network
// of the zoo with the file's weights. `name` is for callers.
Result<torch::jit::Module> ReadNetwork(const std::filesystem::path& file, const std::string& name,
                                       const ModelDefinition& model, c10::Device device) {
  if (model.reference_backend() == "native") {
    const std::vector<std::int64_t> shape = BatchShape(model, 1);
    Result<torch::jit::Module> module =
        zoo::LoadZooModule(model.network, static_cast<std::int64_t>(model.score_count()), file,
                           std::span(shape).subspan(1));
    if (module.ok()) return module;
    return Status::InvalidArgument(name + ": " + module.status().message());
  }
  try {
    return torch::jit::load(file.string(), device);
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(name + ": not a TorchScript file; the server's log says more");
  }
}

}  // namespace

Result<std::shared_ptr<TorchScriptModule>> TorchScriptModule::Load(
    const std::filesystem::path& file, const ModelDefinition& model,
    const TorchScriptTarget& target) {
  const std::string name = ShownFile(model, file);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return Status::InvalidArgument(name + ": no such file");
  }
  std::shared_ptr<TorchScriptModule> loaded(new TorchScriptModule(name, model, target));
  Result<torch::jit::Module> original = ReadNetwork(file, name, model, target.device);
  if (!original.ok()) return original.status();
  try {
    original->to(target.device);
    Status status = loaded->Prepare(*std::move(original), model);
    if (!status.ok()) return status;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(name + ": cannot run the declared input: " + TorchReason(error));
  }
  return loaded;
}

Status TorchScriptModule::Prepare(torch::jit::Module original, const ModelDefinition& model) {
  original.eval();
  if (target_.half) original.to(at::kHalf);
  if (target_.channels_last) {
    for (at::Tensor weight : original.parameters()) {
      if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  module_ = torch::jit::freeze(original);
  const at::Tensor probe = ProbeBatch(model, target_);
  const at::Tensor output = RunUnchecked(probe);
  if (std::string wrong = CheckOutput(output, probe.size(0)); !wrong.empty()) {
    return Status::InvalidArgument(file_ + ": " + wrong);
  }
  // On CUDA the pass is left out until its gain is measured on a GPU.
  if (target_.device.is_cpu()) OptimizeIfSafe(original, probe, output);
  return Status::Ok();
}

// Replaces the frozen network by its optimised form where that gives the same outputs. The pass
// rewrites graphs and has had wrong results on some; one forward at load finds out.
void TorchScriptModule::OptimizeIfSafe(const torch::jit::Module& original, const at::Tensor& probe,
                                       const at::Tensor& expected) {
  torch::jit::Module frozen = module_;
  try {
    // The pass works in place on the graph, which copies of a Module share: freeze a second time,
    // so that there is a way back.
    torch::jit::Module second = torch::jit::freeze(original);
    module_ = torch::jit::optimize_for_inference(second);
    const at::Tensor output = RunUnchecked(probe);
    const double largest = std::max(expected.abs().max().item<double>(), 1e-6);
    if (CheckOutput(output, probe.size(0)).empty() &&
        at::allclose(output, expected, 0, kOptimizedTolerance * largest, /*equal_nan=*/true)) {
      return;
    }
    spdlog::warn("{}: optimize_for_inference changes its outputs; serving it frozen only", file_);
  } catch (const std::exception& error) {
    spdlog::warn("{}: optimize_for_inference failed; serving it frozen only: {}", file_,
                 TorchReason(error));
  }
  module_ = std::move(frozen);
}

at::Tensor TorchScriptModule::RunUnchecked(const at::Tensor& input) {
  const c10::InferenceMode no_autograd;
  const torch::jit::GraphOptimizerEnabledGuard no_profiling(false);  // this thread's, this call's
  c10::IValue output = module_.forward({input});
  TORCH_CHECK(output.isTensor(), "it gives ", output.tagKind(), " instead of one tensor");
  return output.toTensor();
}

std::string TorchScriptModule::CheckOutput(const at::Tensor& output, std::int64_t rows) const {
  const auto columns = static_cast<std::int64_t>(scores_);
  const bool shape_fits =
      any_shape_ ? output.dim() >= 1 && output.size(0) == rows && output.numel() == rows * columns
                 : output.dim() == 2 && output.size(0) == rows && output.size(1) == columns;
  if (!shape_fits) {
    return "its output for " + std::to_string(rows) + " items is " + TorchShape(output) +
           (any_shape_ ? "; [output] declares " : "; the labels need ") + "[" +
           std::to_string(rows) + ", " + std::to_string(columns) + "]";
  }
  const bool type_fits =
      output.scalar_type() == at::kFloat || (target_.half && output.scalar_type() == at::kHalf);
  if (!type_fits) {
    return std::string("its output holds ") + c10::toString(output.scalar_type()) +
           "; it must hold Float";
  }
  return {};
}

Result<at::Tensor> TorchScriptModule::Forward(const at::Tensor& input) {
  std::string wrong;
  try {
    at::Tensor output = RunUnchecked(input);
    wrong = CheckOutput(output, input.size(0));
    if (wrong.empty()) return output.reshape({input.size(0), static_cast<std::int64_t>(scores_)});
  } catch (const std::exception& error) {
    wrong = TorchReason(error);
    spdlog::debug("{}: {}", file_, error.what());
  }
  spdlog::error("{}: a batch of {} failed: {}", file_, input.size(0), wrong);
  return Status::Internal("model '" + model_ + "' failed on this batch");
}

}  // namespace xcloud
