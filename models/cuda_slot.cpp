#include "models/cuda_slot.h"

#include <cstring>

#include <ATen/ops/empty.h>

namespace xcloud {
namespace {

std::size_t StagingBytes(const PreprocessSpec& spec, std::size_t max_batch, bool ragged) {
  return ragged ? RaggedBytes(spec, max_batch) : max_batch * spec.PixelBytes();
}

std::size_t ValueBytes(CudaPrecision precision) {
  return precision == CudaPrecision::kHalf ? sizeof(at::Half) : sizeof(float);
}

// The caller's input with its channels innermost, as the device keeps it.
template <class Value>
void Unpack(const char* tensor, const PreprocessSpec& spec, Value* out) {
  const std::size_t pixels = spec.PixelBytes() / 3;
  const bool planes = spec.layout == TensorLayout::kNchw;
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < 3; ++c) {
      float value = 0;
      std::memcpy(&value, tensor + (planes ? c * pixels + p : p * 3 + c) * sizeof value,
                  sizeof value);
      *out++ = static_cast<Value>(value);
    }
  }
}

}  // namespace

CudaSlot::CudaSlot(const PreprocessSpec& spec, std::size_t max_batch, std::size_t outputs,
                   bool ragged, c10::Device device)
    : spec_(spec),
      max_batch_(max_batch),
      outputs_(outputs),
      ragged_(ragged),
      identity_(IdentityPlan(spec)) {
  const auto bytes = static_cast<std::int64_t>(StagingBytes(spec, max_batch, ragged));
  const at::TensorOptions pinned = at::TensorOptions().pinned_memory(true);
  host_bytes_ = at::empty({bytes}, pinned.dtype(at::kByte));
  device_bytes_ = at::empty({bytes}, at::TensorOptions().device(device).dtype(at::kByte));
  host_scores_ =
      at::empty({static_cast<std::int64_t>(max_batch * outputs)}, pinned.dtype(at::kFloat));
}

void CudaSlot::PackPixels(std::span<const NetworkItem> items) {
  auto* to = host_bytes_.data_ptr<std::uint8_t>();
  for (const NetworkItem& item : items) {
    if (item.tensor == nullptr) {
      XC_CHECK(item.pixels != nullptr);  // images come only where the device resizes
      std::memcpy(to, item.pixels, spec_.PixelBytes());
    }
    to += spec_.PixelBytes();
  }
  layout_.used = items.size() * spec_.PixelBytes();
}

void CudaSlot::PackTensors(std::span<const NetworkItem> items, CudaPrecision precision) {
  tensor_rows_.clear();
  const std::size_t row_bytes = spec_.PixelBytes() * ValueBytes(precision);
  for (std::size_t row = 0; row < items.size(); ++row) {
    if (items[row].tensor == nullptr) continue;
    if (!host_values_.defined()) {
      host_values_ = at::empty({static_cast<std::int64_t>(max_batch_ * row_bytes)},
                               at::TensorOptions().pinned_memory(true).dtype(at::kByte));
    }
    void* to = host_values_.data_ptr<std::uint8_t>() + row * row_bytes;
    if (precision == CudaPrecision::kHalf) {
      Unpack(items[row].tensor, spec_, static_cast<at::Half*>(to));
    } else {
      Unpack(items[row].tensor, spec_, static_cast<float*>(to));
    }
    tensor_rows_.push_back(row);
  }
}

cudaError_t CudaSlot::CopyTensors(CudaPrecision precision, void* values, cudaStream_t exec) {
  const std::size_t row_bytes = spec_.PixelBytes() * ValueBytes(precision);
  for (const std::size_t row : tensor_rows_) {
    const cudaError_t error =
        cudaMemcpyAsync(static_cast<std::uint8_t*>(values) + row * row_bytes,
                        host_values_.data_ptr<std::uint8_t>() + row * row_bytes, row_bytes,
                        cudaMemcpyHostToDevice, exec);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t CudaSlot::Fill(std::span<const NetworkItem> items, CudaPrecision precision,
                           cudaStream_t copy) {
  XC_CHECK(items.size() <= max_batch_);
  count_ = items.size();
  PackTensors(items, precision);
  if (ragged_) {
    layout_ = PackRagged(items, spec_, identity_, host_bytes_.data_ptr<std::uint8_t>());
  } else {
    PackPixels(items);
  }
  const cudaError_t error = cudaMemcpyAsync(device_bytes_.data_ptr(), host_bytes_.data_ptr(),
                                            layout_.used, cudaMemcpyHostToDevice, copy);
  return error != cudaSuccess ? error : copied_.Record(copy);
}

cudaError_t CudaSlot::Normalize(const NormalizeParams& params, CudaPrecision precision,
                                void* values, cudaStream_t exec) {
  if (const cudaError_t error = copied_.HoldBack(exec); error != cudaSuccess) return error;
  const cudaError_t error = LaunchKernel(params, precision, values, exec);
  return error != cudaSuccess ? error : CopyTensors(precision, values, exec);
}

cudaError_t CudaSlot::LaunchKernel(const NormalizeParams& params, CudaPrecision precision,
                                   void* values, cudaStream_t exec) const {
  const auto* bytes = device_bytes_.data_ptr<std::uint8_t>();
  if (!ragged_) {
    return LaunchNormalize(bytes, count_ * spec_.PixelBytes(), params, precision, values, exec);
  }
  RaggedBatch batch;
  batch.items = reinterpret_cast<const RaggedItem*>(bytes);
  batch.tables = reinterpret_cast<const std::int32_t*>(bytes + layout_.tables_at);
  batch.packed = bytes + layout_.photos_at;
  batch.count = count_;
  batch.crop_width = spec_.crop_width;
  batch.crop_height = spec_.crop_height;
  return LaunchResizeNormalize(batch, params, precision, values, exec);
}

cudaError_t CudaSlot::FetchScores(const float* scores, cudaStream_t exec) {
  const cudaError_t error =
      cudaMemcpyAsync(host_scores_.data_ptr(), scores, score_bytes(), cudaMemcpyDeviceToHost, exec);
  return error != cudaSuccess ? error : done_.Record(exec);
}

cudaError_t CudaSlot::Wait(float* scores) {
  const cudaError_t error = done_.Wait();
  if (error == cudaSuccess) std::memcpy(scores, host_scores_.data_ptr(), score_bytes());
  return error;
}

}  // namespace xcloud
