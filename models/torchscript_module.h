// TorchScriptModule: a TorchScript file, or a network of the zoo with a file of weights, loaded,
// frozen and checked once for one device, and shared by that device's lanes. It shows LibTorch's
// types, as cuda_network.h and some of zoo/ do: include it from .cpp files and tests only.
//
// Thread safety: Forward from any thread; the weights are constants and the interpreter's state
// is the call's own. No exception leaves this file.
//
// The profiling executor is off: it recompiles at the second call of every new batch size. Ours
// are frozen, then optimised for inference. images/s of MobileNetV2, fp32, 224 x 224, random
// weights, two cores of an AMD EPYC (Zen 4), glibc malloc, median, machine shared with compilers:
//                                          1 thread, batch 1, 2, 4     2 threads, batch 1, 2, 4
//   as loaded, profiling                   43   42   31                49   55   40
//   frozen                                 55   58   61                82  102  117
//   frozen, channels-last input            64   69   70               108  130  145
//   optimised (what we serve)              80   91   91                74  137  162
//   optimised, channels-last input         75   87   82                88  109  145
// So CPU lanes stage plain NCHW. A batch at its exact size costs what its items cost; a size met
// for the first time costs 5 to 10 ms more, once, for oneDNN's kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/stage_rows.h"

namespace xcloud {

struct TorchScriptTarget {
  c10::Device device = c10::Device(c10::kCPU);
  bool half = false;           // fp16 weights and input; else fp32
  bool channels_last = false;  // memory format of 4-d weights; the input's is the caller's affair
};

class TorchScriptModule {
 public:
  // InvalidArgument when the file is missing, is not TorchScript (of backend native: not weights
  // that fit model.network), does not run on a batch of the
  // declared input, or does not give floats: one row of labels.size() columns an item, or, of a
  // model of values, a tensor of so many an item.
  static Result<std::shared_ptr<TorchScriptModule>> Load(const std::filesystem::path& file,
                                                         const ModelDefinition& model,
                                                         const TorchScriptTarget& target);

  // Runs one batch; `input` is [n, ...] on the target's device. The output is checked, and given
  // as [n, output_size()]. Internal when the network throws or gives anything else: the message is
  // for callers, the details go to the log.
  Result<at::Tensor> Forward(const at::Tensor& input);

  std::size_t output_size() const { return scores_; }
  // For tests: what the executor did with the calls so far.
  torch::jit::Module& module() { return module_; }

 private:
  TorchScriptModule(std::string file, const ModelDefinition& model, TorchScriptTarget target)
      : file_(std::move(file)),
        model_(model.name),
        scores_(model.score_count()),
        any_shape_(model.values_output.has_value()),
        target_(target) {}

  // These throw what LibTorch throws.
  Status Prepare(torch::jit::Module original, const ModelDefinition& model);
  at::Tensor RunUnchecked(const at::Tensor& input);
  void OptimizeIfSafe(const torch::jit::Module& original, const at::Tensor& probe,
                      const at::Tensor& expected);

  std::string CheckOutput(const at::Tensor& output, std::int64_t rows) const;

  const std::string file_;    // for messages to the operator
  const std::string model_;   // for messages to callers
  const std::size_t scores_;  // of an item
  const bool any_shape_;      // the scores of an item may have more than one dimension
  const TorchScriptTarget target_;
  torch::jit::Module module_;
};

}  // namespace xcloud
