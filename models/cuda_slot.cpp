#include "models/cuda_slot.h"

#include <cstring>

#include <ATen/ops/empty.h>

namespace xcloud {
namespace {

std::size_t StagingBytes(const PreprocessSpec& spec, std::size_t max_batch, bool ragged) {
  if (!ragged) return max_batch * spec.PixelBytes();
  return max_batch *
         (sizeof(RaggedItem) + MaxTableInts(spec) * sizeof(std::int32_t) + MaxImageBytes(spec));
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
    XC_CHECK(item.pixels != nullptr);  // images come only where the device resizes
    std::memcpy(to, item.pixels, spec_.PixelBytes());
    to += spec_.PixelBytes();
  }
  used_ = items.size() * spec_.PixelBytes();
}

void CudaSlot::PackRagged(std::span<const NetworkItem> items) {
  auto* base = host_bytes_.data_ptr<std::uint8_t>();
  const auto plan_of = [&](const NetworkItem& item) -> const ResizableImage& {
    return item.image != nullptr ? *item.image : identity_;
  };
  std::size_t ints = 0;
  for (const NetworkItem& item : items) ints += plan_of(item).tables.size();
  tables_at_ = items.size() * sizeof(RaggedItem);
  photos_at_ = tables_at_ + ints * sizeof(std::int32_t);
  std::size_t table = 0;
  std::size_t photo = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ResizableImage& plan = plan_of(items[i]);
    const std::uint8_t* rgb = items[i].image != nullptr ? plan.image.rgb.data() : items[i].pixels;
    const std::size_t size = items[i].image != nullptr ? plan.image.rgb.size() : spec_.PixelBytes();
    RaggedItem item = plan.item;
    item.pixels = photo;
    item.across.tables += table;
    item.down.tables += table;
    std::memcpy(base + i * sizeof item, &item, sizeof item);
    std::memcpy(base + tables_at_ + table * sizeof(std::int32_t), plan.tables.data(),
                plan.tables.size() * sizeof(std::int32_t));
    XC_CHECK(rgb != nullptr && plan.tables.size() <= MaxTableInts(spec_));
    XC_CHECK(size <= MaxImageBytes(spec_));
    std::memcpy(base + photos_at_ + photo, rgb, size);
    table += plan.tables.size();
    photo += size;
  }
  used_ = photos_at_ + photo;
}

cudaError_t CudaSlot::Fill(std::span<const NetworkItem> items, cudaStream_t copy) {
  XC_CHECK(items.size() <= max_batch_);
  count_ = items.size();
  ragged_ ? PackRagged(items) : PackPixels(items);
  const cudaError_t error = cudaMemcpyAsync(device_bytes_.data_ptr(), host_bytes_.data_ptr(), used_,
                                            cudaMemcpyHostToDevice, copy);
  return error != cudaSuccess ? error : copied_.Record(copy);
}

cudaError_t CudaSlot::Normalize(const NormalizeParams& params, CudaPrecision precision,
                                void* values, cudaStream_t exec) {
  if (const cudaError_t error = copied_.HoldBack(exec); error != cudaSuccess) return error;
  const auto* bytes = device_bytes_.data_ptr<std::uint8_t>();
  if (!ragged_) {
    return LaunchNormalize(bytes, count_ * spec_.PixelBytes(), params, precision, values, exec);
  }
  RaggedBatch batch;
  batch.items = reinterpret_cast<const RaggedItem*>(bytes);
  batch.tables = reinterpret_cast<const std::int32_t*>(bytes + tables_at_);
  batch.packed = bytes + photos_at_;
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
