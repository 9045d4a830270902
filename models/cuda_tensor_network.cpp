#include "models/cuda_tensor_network.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>

#include "core/log.h"

namespace xcloud {
namespace {

class CudaTensorNetwork final : public Network {
 public:
  // Throws c10::Error when memory does not suffice.
  CudaTensorNetwork(std::shared_ptr<TorchScriptModule> module, const ModelDefinition& model,
                    const CudaNetworkOptions& options, const CudaLaneStreams& streams)
      : module_(std::move(module)),
        model_(model.name),
        max_batch_(std::max<std::size_t>(model.batching.max_batch, 1)),
        item_values_(model.item_values()),
        streams_(streams),
        loader_(c10::cuda::getCurrentCUDAStream()) {
    const at::TensorOptions pinned = at::TensorOptions().pinned_memory(true).dtype(at::kFloat);
    const at::TensorOptions on_device = at::TensorOptions().device(options.target.device);
    const std::vector<std::int64_t> shape = BatchShape(model, max_batch_);
    const auto rows = static_cast<std::int64_t>(max_batch_);
    const auto columns = static_cast<std::int64_t>(output_size());
    for (std::size_t i = 0; i < options.slots; ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->values = at::empty(shape, pinned);
      slots_.back()->scores = at::empty({rows, columns}, pinned);
    }
    input_ = at::empty(shape, on_device.dtype(options.target.half ? at::kHalf : at::kFloat));
  }

  std::size_t output_size() const override { return module_->output_size(); }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(!items.empty() && items.size() <= run_items && run_items <= max_batch_);
    Slot& staged = *slots_.at(slot);
    auto* to = staged.values.data_ptr<float>();
    for (const NetworkItem& item : items) {
      XC_CHECK(item.tensor != nullptr);
      std::memcpy(to, item.tensor, item_values_ * sizeof(float));
      to += item_values_;
    }
    std::fill_n(to, (run_items - items.size()) * item_values_, 0.0F);
    staged.items = items.size();
    staged.run_items = run_items;
    return Status::Ok();
  }

  Status Launch(std::size_t slot) override {
    return Guarded("launch", [&] { return LaunchOnStream(*slots_.at(slot)); });
  }

  Status Collect(std::size_t slot, float* scores) override {
    return Guarded("forward", [&] {
      Slot& staged = *slots_.at(slot);
      if (Status status = CudaStatus(staged.done.Wait(), "wait for the scores"); !status.ok()) {
        return status;
      }
      std::memcpy(scores, staged.scores.data_ptr<float>(),
                  staged.items * output_size() * sizeof(float));
      return Status::Ok();
    });
  }

  void EnterService() override { in_service_ = true; }

 private:
  struct Slot {
    at::Tensor values;  // pinned: max_batch items
    at::Tensor scores;  // pinned
    CudaEvent done;
    std::size_t items = 0;  // staged
    std::size_t run_items = 0;
  };

  c10::cuda::CUDAStream exec_stream() const { return in_service_ ? streams_.exec : loader_; }

  // Copies to and from pinned memory are queued, not waited for.
  Status LaunchOnStream(Slot& staged) {
    const c10::InferenceMode no_autograd;
    const auto rows = static_cast<std::int64_t>(staged.run_items);
    const at::Tensor input = input_.narrow(0, 0, rows);
    input.copy_(staged.values.narrow(0, 0, rows), /*non_blocking=*/true);
    Result<at::Tensor> output = module_->Forward(input);
    if (!output.ok()) return output.status();
    staged.scores.narrow(0, 0, rows).copy_(output->to(at::kFloat), /*non_blocking=*/true);
    return CudaStatus(staged.done.Record(exec_stream().stream()), "record of the end");
  }

  // As CudaNetwork's: exceptions and errors end here.
  template <class Step>
  Status Guarded(const char* name, Step step) {
    std::string wrong;
    try {
      const c10::cuda::CUDAStreamGuard current(exec_stream());
      const Status status = step();
      if (status.ok()) return status;
      wrong = status.message();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    (void)cudaStreamSynchronize(exec_stream().stream());
    (void)cudaGetLastError();
    spdlog::error("model '{}': {} of a CUDA batch of tensors failed: {}", model_, name, wrong);
    return Status::Internal("model '" + model_ + "' failed on this batch");
  }

  const std::shared_ptr<TorchScriptModule> module_;
  const std::string model_;
  const std::size_t max_batch_;
  const std::size_t item_values_;
  const CudaLaneStreams streams_;
  const c10::cuda::CUDAStream loader_;
  bool in_service_ = false;
  at::Tensor input_;  // on the device: max_batch items
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace

Result<std::unique_ptr<Network>> MakeCudaTensorNetwork(std::shared_ptr<TorchScriptModule> module,
                                                       const ModelDefinition& model,
                                                       const CudaNetworkOptions& options,
                                                       const CudaLaneStreams& streams) {
  try {
    return std::unique_ptr<Network>(
        std::make_unique<CudaTensorNetwork>(std::move(module), model, options, streams));
  } catch (const std::exception& error) {
    spdlog::error("model '{}': {}", model.name, error.what());
    return Status::InvalidArgument("model '" + model.name + "': no CUDA memory for a lane's " +
                                   "staging of " + std::to_string(model.batching.max_batch) +
                                   " items");
  }
}

}  // namespace xcloud
