#include "models/cuda_network.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>

#include "core/log.h"
#include "models/buckets.h"
#include "models/cuda_kernels.h"

namespace xcloud {
namespace {

NormalizeParams ParamsOf(const PreprocessSpec& spec) {
  NormalizeParams params;
  params.scale = spec.scale;
  std::copy(spec.mean.begin(), spec.mean.end(), params.mean);
  std::copy(spec.std.begin(), spec.std.end(), params.std);
  params.bgr = spec.color == ColorOrder::kBgr ? 1 : 0;
  return params;
}

// An event whose waiters sleep in the driver: a lane that spun would take a core from decoding.
class BlockingEvent {
 public:
  BlockingEvent() {
    error_ = cudaEventCreateWithFlags(&event_, cudaEventBlockingSync | cudaEventDisableTiming);
  }
  ~BlockingEvent() {
    if (event_ != nullptr) (void)cudaEventDestroy(event_);
  }
  BlockingEvent(const BlockingEvent&) = delete;
  BlockingEvent& operator=(const BlockingEvent&) = delete;

  cudaError_t RecordAndWait(cudaStream_t stream) {
    if (error_ != cudaSuccess) return error_;
    if (const cudaError_t error = cudaEventRecord(event_, stream); error != cudaSuccess) {
      return error;
    }
    return cudaEventSynchronize(event_);
  }

 private:
  cudaEvent_t event_ = nullptr;
  cudaError_t error_ = cudaSuccess;
};

class CudaNetwork final : public Network {
 public:
  // Throws c10::Error when memory does not suffice.
  CudaNetwork(std::shared_ptr<TorchScriptModule> module, const TorchScriptTarget& target,
              const ModelDefinition& model, c10::cuda::CUDAStream stream, const Clock& clock)
      : module_(std::move(module)),
        max_batch_(std::max<std::size_t>(model.batching.max_batch, 1)),
        item_bytes_(model.preprocess.PixelBytes()),
        precision_(target.half ? CudaPrecision::kHalf : CudaPrecision::kFloat),
        params_(ParamsOf(model.preprocess)),
        model_(model.name),
        stream_(stream),
        clock_(clock) {
    // The allocator ties device memory to the stream that is current when it is made.
    const c10::cuda::CUDAStreamGuard on_lane(stream_);
    const auto bytes = static_cast<std::int64_t>(max_batch_ * item_bytes_);
    const auto floats = static_cast<std::int64_t>(max_batch_ * output_size());
    const at::TensorOptions pinned = at::TensorOptions().pinned_memory(true);
    const at::TensorOptions on_device = at::TensorOptions().device(target.device);
    host_pixels_ = at::empty({bytes}, pinned.dtype(at::kByte));
    host_scores_ = at::empty({floats}, pinned.dtype(at::kFloat));
    pixels_ = at::empty({bytes}, on_device.dtype(at::kByte));
    PreprocessSpec channel_innermost = model.preprocess;
    channel_innermost.layout = TensorLayout::kNhwc;
    values_ = at::empty(BatchShape(channel_innermost, max_batch_),
                        on_device.dtype(target.half ? at::kHalf : at::kFloat));
    const bool nchw = model.preprocess.layout == TensorLayout::kNchw;
    network_input_ = nchw ? values_.permute({0, 3, 1, 2}) : values_;
  }

  std::size_t output_size() const override { return module_->output_size(); }

  Status Run(std::span<const std::uint8_t* const> items, float* scores,
             TimePoint* forward_start) override {
    XC_CHECK(!items.empty() && items.size() <= max_batch_);
    std::string wrong;
    try {
      const c10::cuda::CUDAStreamGuard on_lane(stream_);
      Status status = RunOnStream(items, scores, forward_start);
      if (status.ok()) return status;
      wrong = status.message();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    // The staging memory is reused: nothing queued may still read it.
    (void)cudaStreamSynchronize(stream_.stream());
    (void)cudaGetLastError();
    spdlog::error("model '{}': a CUDA batch of {} failed: {}", model_, items.size(), wrong);
    return Status::Internal("model '" + model_ + "' failed on this batch");
  }

 private:
  Status RunOnStream(std::span<const std::uint8_t* const> items, float* scores,
                     TimePoint* forward_start) {
    cudaStream_t stream = stream_.stream();
    const std::size_t bucket = BucketFor(items.size(), max_batch_);
    if (Status status = Check(StageBatch(items, bucket, stream), "staging"); !status.ok()) {
      return status;
    }
    *forward_start = clock_.Now();
    const auto rows = static_cast<std::int64_t>(bucket);
    Result<at::Tensor> output = module_->Forward(network_input_.narrow(0, 0, rows));
    if (!output.ok()) return output.status();
    const at::Tensor result = output->to(at::kFloat).contiguous();
    const std::size_t bytes = items.size() * output_size() * sizeof(float);
    Status copied = Check(cudaMemcpyAsync(host_scores_.data_ptr(), result.data_ptr(), bytes,
                                          cudaMemcpyDeviceToHost, stream),
                          "copy of the scores");
    if (!copied.ok()) return copied;
    if (Status status = Check(done_.RecordAndWait(stream), "forward"); !status.ok()) return status;
    std::memcpy(scores, host_scores_.data_ptr(), bytes);
    return Status::Ok();
  }

  // Queues the copy of the pixels, the clearing of the padding and the normalising of both.
  cudaError_t StageBatch(std::span<const std::uint8_t* const> items, std::size_t bucket,
                         cudaStream_t stream) {
    auto* staged = host_pixels_.data_ptr<std::uint8_t>();
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::memcpy(staged + i * item_bytes_, items[i], item_bytes_);
    }
    auto* pixels = pixels_.data_ptr<std::uint8_t>();
    const std::size_t used = items.size() * item_bytes_;
    const std::size_t padded = bucket * item_bytes_;
    cudaError_t error = cudaMemcpyAsync(pixels, staged, used, cudaMemcpyHostToDevice, stream);
    if (error == cudaSuccess && padded > used) {
      error = cudaMemsetAsync(pixels + used, 0, padded - used, stream);
    }
    if (error != cudaSuccess) return error;
    return LaunchNormalize(pixels, padded, params_, precision_, values_.data_ptr(), stream);
  }

  static Status Check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return Status::Ok();
    return Status::Internal(std::string(what) + ": " + cudaGetErrorString(error));
  }

  const std::shared_ptr<TorchScriptModule> module_;
  const std::size_t max_batch_;
  const std::size_t item_bytes_;
  const CudaPrecision precision_;
  const NormalizeParams params_;
  const std::string model_;
  const c10::cuda::CUDAStream stream_;
  const Clock& clock_;
  BlockingEvent done_;
  at::Tensor host_pixels_;    // pinned; max_batch items of bytes
  at::Tensor host_scores_;    // pinned; max_batch rows
  at::Tensor pixels_;         // on the device
  at::Tensor values_;         // on the device: [max_batch, h, w, 3]
  at::Tensor network_input_;  // values_ as the network wants it
};

}  // namespace

Result<std::unique_ptr<Network>> MakeCudaNetwork(std::shared_ptr<TorchScriptModule> module,
                                                 const TorchScriptTarget& target,
                                                 const ModelDefinition& model,
                                                 c10::cuda::CUDAStream stream, const Clock& clock) {
  try {
    return std::unique_ptr<Network>(
        std::make_unique<CudaNetwork>(std::move(module), target, model, stream, clock));
  } catch (const std::exception& error) {
    spdlog::error("model '{}': {}", model.name, error.what());
    return Status::InvalidArgument("model '" + model.name + "': no CUDA memory for a lane's " +
                                   "staging of " + std::to_string(model.batching.max_batch) +
                                   " items");
  }
}

}  // namespace xcloud
