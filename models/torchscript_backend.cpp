#include "models/torchscript_backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "models/stage_rows.h"
#include "models/torchscript_module.h"

namespace xcloud {
namespace {

class TorchScriptNetwork final : public Network {
 public:
  TorchScriptNetwork(std::shared_ptr<TorchScriptModule> module, const ModelDefinition& model)
      : module_(std::move(module)), model_(model) {
    const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
    slots_ = at::empty(BatchShape(model, max_batch), at::kFloat);
    for (std::size_t n = 1; n <= max_batch; ++n) {
      batches_.push_back(slots_.narrow(0, 0, static_cast<std::int64_t>(n)));
    }
  }

  std::size_t output_size() const override { return module_->output_size(); }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(slot == 0);  // CPU lanes hold one batch
    XC_CHECK(!items.empty() && items.size() <= run_items && run_items <= batches_.size());
    StageRows(model_, items, run_items, slots_.data_ptr<float>());
    items_ = items.size();
    run_items_ = run_items;
    return Status::Ok();
  }

  Status Collect(std::size_t, float* scores) override {
    Result<at::Tensor> output = module_->Forward(batches_[run_items_ - 1]);
    if (!output.ok()) return output.status();
    const at::Tensor rows = output->contiguous();
    std::memcpy(scores, rows.data_ptr<float>(), items_ * output_size() * sizeof(float));
    return Status::Ok();
  }

 private:
  const std::shared_ptr<TorchScriptModule> module_;
  const ModelDefinition model_;
  at::Tensor slots_;                 // max_batch items
  std::vector<at::Tensor> batches_;  // batches_[n - 1]: the first n of them
  std::size_t items_ = 0;            // staged
  std::size_t run_items_ = 0;
};

}  // namespace

Result<std::vector<std::unique_ptr<Network>>> MakeTorchScriptNetworks(
    const ModelDefinition& model, const std::filesystem::path& file, std::size_t lanes) {
  auto module = TorchScriptModule::Load(file, model, TorchScriptTarget{});
  if (!module.ok()) return module.status();
  std::vector<std::unique_ptr<Network>> networks;
  for (std::size_t i = 0; i < lanes; ++i) {
    networks.push_back(std::make_unique<TorchScriptNetwork>(*module, model));
  }
  return networks;
}

void SetTorchThreads(std::size_t threads) {
  XC_CHECK(threads >= 1);
  // LibTorch gives a thread the process-wide count when it first asks; asking now keeps that from
  // overwriting this thread's own count later.
  (void)at::get_num_threads();
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace xcloud
