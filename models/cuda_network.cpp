#include "models/cuda_network.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/allclose.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>

#include "core/log.h"
#include "models/buckets.h"
#include "models/cuda_graphs.h"
#include "models/cuda_slot.h"

namespace xcloud {
namespace {

// How far a replay may be from the eager forward, as a share of the largest score: cuDNN may pick
// another kernel while it is recorded.
constexpr double kGraphTolerance = 1e-2;

class CudaNetwork final : public Network {
 public:
  // Throws c10::Error when memory does not suffice.
  CudaNetwork(std::shared_ptr<TorchScriptModule> module, const ModelDefinition& model,
              const CudaNetworkOptions& options, const CudaLaneStreams& streams)
      : module_(std::move(module)),
        max_batch_(std::max<std::size_t>(model.batching.max_batch, 1)),
        item_values_(model.preprocess.PixelBytes()),
        precision_(options.target.half ? CudaPrecision::kHalf : CudaPrecision::kFloat),
        params_(NormalizeParamsOf(model.preprocess)),
        model_(model.name),
        streams_(streams),
        loader_(c10::cuda::getCurrentCUDAStream()),
        use_graphs_(options.graphs),
        graphs_(options.target.device.index()) {
    const at::TensorOptions on_device = at::TensorOptions().device(options.target.device);
    PreprocessSpec channel_innermost = model.preprocess;
    channel_innermost.layout = TensorLayout::kNhwc;
    values_ = at::zeros(BatchShape(channel_innermost, max_batch_),
                        on_device.dtype(options.target.half ? at::kHalf : at::kFloat));
    const bool nchw = model.preprocess.layout == TensorLayout::kNchw;
    input_ = nchw ? values_.permute({0, 3, 1, 2}) : values_;
    scores_ =
        at::zeros({static_cast<std::int64_t>(max_batch_), static_cast<std::int64_t>(output_size())},
                  on_device.dtype(at::kFloat));
    for (std::size_t slot = 0; slot < options.slots; ++slot) {
      slots_.push_back(std::make_unique<CudaSlot>(model.preprocess, max_batch_, output_size(),
                                                  options.resize, options.target.device));
      buckets_.push_back(0);
    }
  }

  std::size_t output_size() const override { return module_->output_size(); }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(!items.empty() && items.size() <= run_items && run_items <= max_batch_);
    buckets_.at(slot) = BucketFor(run_items, max_batch_);
    return Guarded(slot, "staging", [&] {
      return CudaStatus(slots_[slot]->Fill(items, precision_, copy_stream()), "copy of the pixels");
    });
  }

  Status Launch(std::size_t slot) override {
    return Guarded(slot, "launch",
                   [&] { return LaunchOnStream(*slots_.at(slot), buckets_[slot]); });
  }

  Status Collect(std::size_t slot, float* scores) override {
    return Guarded(slot, "forward", [&] {
      return CudaStatus(slots_.at(slot)->Wait(scores), "wait for the scores");
    });
  }

  Status Record(std::size_t run_items) override {
    const std::size_t bucket = BucketFor(run_items, max_batch_);
    if (!use_graphs_ || graphs_.Has(bucket)) return Status::Ok();
    return Guarded(0, "recording", [&] {
      std::string why;
      try {
        why = RecordAndCompare(bucket);
      } catch (const std::exception& error) {
        graphs_.Drop(bucket);
        why = error.what();
        why.erase(std::min(why.find('\n'), why.size()));
      }
      if (!why.empty()) {
        use_graphs_ = false;  // what was recorded before goes on being replayed
        spdlog::warn("model '{}': runs without a CUDA graph from {} items on: {}", model_, bucket,
                     why);
      }
      return Status::Ok();
    });
  }

  void EnterService() override { in_service_ = true; }

 private:
  c10::cuda::CUDAStream exec_stream() const { return in_service_ ? streams_.exec : loader_; }
  cudaStream_t copy_stream() const { return in_service_ ? streams_.copy->get() : loader_.stream(); }

  // Runs one step with the exec stream current; exceptions and errors end here, for the caller in
  // one sentence, for the log in CUDA's words.
  template <class Step>
  Status Guarded(std::size_t slot, const char* name, Step step) {
    std::string wrong;
    try {
      const c10::cuda::CUDAStreamGuard current(exec_stream());
      const Status status = step();
      if (status.ok()) return status;
      wrong = status.message();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    // The slot is staged anew: nothing queued may still read its memory. The other slot's batch
    // may be on the way; these wait for it as well, which is right after a failure.
    (void)cudaStreamSynchronize(copy_stream());
    (void)cudaStreamSynchronize(exec_stream().stream());
    (void)cudaGetLastError();
    spdlog::error("model '{}': {} of a CUDA batch in slot {} failed: {}", model_, name, slot,
                  wrong);
    return Status::Internal("model '" + model_ + "' failed on this batch");
  }

  Status LaunchOnStream(CudaSlot& slot, std::size_t bucket) {
    const cudaStream_t exec = exec_stream().stream();
    const auto steps = [&]() -> cudaError_t {
      const cudaError_t error = slot.Normalize(params_, precision_, values_.data_ptr(), exec);
      return error != cudaSuccess ? error : ZeroPadding(slot.items(), bucket, exec);
    };
    if (Status status = CudaStatus(steps(), "normalising"); !status.ok()) return status;
    if (graphs_.Has(bucket)) {
      graphs_.Replay(bucket);
    } else if (Status status = Forward(bucket); !status.ok()) {
      return status;
    }
    return CudaStatus(slot.FetchScores(scores_.data_ptr<float>(), exec), "copy of the scores");
  }

  // What an earlier, larger batch left in the rows behind the items must not reach the network.
  cudaError_t ZeroPadding(std::size_t items, std::size_t bucket, cudaStream_t exec) {
    if (items == bucket) return cudaSuccess;
    const std::size_t row = item_values_ * static_cast<std::size_t>(values_.element_size());
    auto* first = static_cast<std::uint8_t*>(values_.data_ptr()) + items * row;
    return cudaMemsetAsync(first, 0, (bucket - items) * row, exec);
  }

  // Eagerly, or while it is recorded: the first `bucket` rows of the input to those of the scores.
  Status Forward(std::size_t bucket) {
    const c10::InferenceMode no_autograd;
    const auto rows = static_cast<std::int64_t>(bucket);
    Result<at::Tensor> output = module_->Forward(input_.narrow(0, 0, rows));
    if (!output.ok()) return output.status();
    scores_.narrow(0, 0, rows).copy_(*output);
    return Status::Ok();
  }

  // Empty, or why the bucket has no graph. On what warm-up left in the input.
  std::string RecordAndCompare(std::size_t bucket) {
    const c10::InferenceMode no_autograd;
    const c10::cuda::CUDAStream stream = exec_stream();
    if (Status status = Forward(bucket); !status.ok()) return status.message();
    const at::Tensor rows = scores_.narrow(0, 0, static_cast<std::int64_t>(bucket));
    const at::Tensor eager = rows.clone();
    stream.synchronize();
    Status captured = graphs_.Capture(bucket, stream, [&] { return Forward(bucket); });
    if (!captured.ok()) return captured.message();
    rows.zero_();
    graphs_.Replay(bucket);
    const double largest = std::max(eager.abs().max().item<double>(), 1e-6);
    if (at::allclose(rows, eager, 0, kGraphTolerance * largest, /*equal_nan=*/true)) return {};
    graphs_.Drop(bucket);
    return "a replay gives other scores than the network";
  }

  const std::shared_ptr<TorchScriptModule> module_;
  const std::size_t max_batch_;
  const std::size_t item_values_;
  const CudaPrecision precision_;
  const NormalizeParams params_;
  const std::string model_;
  const CudaLaneStreams streams_;
  const c10::cuda::CUDAStream loader_;
  bool in_service_ = false;
  bool use_graphs_;
  at::Tensor values_;  // on the device: [max_batch, h, w, 3]
  at::Tensor input_;   // values_ as the network wants it
  at::Tensor scores_;  // on the device: [max_batch, labels], fp32
  CudaGraphs graphs_;  // read input_, write scores_
  std::vector<std::unique_ptr<CudaSlot>> slots_;
  std::vector<std::size_t> buckets_;  // staged, by slot
};

}  // namespace

Result<std::unique_ptr<Network>> MakeCudaNetwork(std::shared_ptr<TorchScriptModule> module,
                                                 const ModelDefinition& model,
                                                 const CudaNetworkOptions& options,
                                                 const CudaLaneStreams& streams) {
  try {
    return std::unique_ptr<Network>(
        std::make_unique<CudaNetwork>(std::move(module), model, options, streams));
  } catch (const std::exception& error) {
    spdlog::error("model '{}': {}", model.name, error.what());
    return Status::InvalidArgument("model '" + model.name + "': no CUDA memory for a lane's " +
                                   "staging of " + std::to_string(model.batching.max_batch) +
                                   " items");
  }
}

}  // namespace xcloud
