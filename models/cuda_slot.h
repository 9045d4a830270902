// CudaSlot: the staging memory of one batch on its way: pinned memory, its twin on the device, and
// the events between the lane's streams. Fixed in size when made; a batch allocates nothing.
//
// Two layouts of the same bytes. Resized pixels: items one after the other. Ragged photos, where
// the device resizes: PackRagged's layout, so that one copy carries all of it.
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <cuda_runtime_api.h>

#include "models/cuda_handles.h"
#include "models/cuda_kernels.h"
#include "models/network.h"
#include "models/resize_plan.h"

namespace xcloud {

class CudaSlot {
 public:
  // Throws c10::Error when memory does not suffice.
  CudaSlot(const PreprocessSpec& spec, std::size_t max_batch, std::size_t outputs, bool ragged,
           c10::Device device);

  // Copies the items into pinned memory and queues their way to the device on `copy`. Pinned memory
  // for tensors is taken when the first of them comes, since few callers send any.
  cudaError_t Fill(std::span<const NetworkItem> items, CudaPrecision precision, cudaStream_t copy);
  // Queues on `exec`, behind the copy: the items' rows of `values`, normalised. Rows of tensors are
  // normalised from whatever bytes lie there, and then written over with their own values (proved
  // by no test on a GPU so far).
  cudaError_t Normalize(const NormalizeParams& params, CudaPrecision precision, void* values,
                        cudaStream_t exec);
  // Queues on `exec`: the items' scores to pinned memory, and the event that Wait waits for.
  cudaError_t FetchScores(const float* scores, cudaStream_t exec);
  // Sleeps until the scores are there, and copies them out.
  cudaError_t Wait(float* scores);

  std::size_t items() const { return count_; }

 private:
  void PackPixels(std::span<const NetworkItem> items);
  void PackTensors(std::span<const NetworkItem> items, CudaPrecision precision);
  cudaError_t LaunchKernel(const NormalizeParams& params, CudaPrecision precision, void* values,
                           cudaStream_t exec) const;
  cudaError_t CopyTensors(CudaPrecision precision, void* values, cudaStream_t exec);
  std::size_t score_bytes() const { return count_ * outputs_ * sizeof(float); }

  const PreprocessSpec spec_;
  const std::size_t max_batch_;
  const std::size_t outputs_;
  const bool ragged_;
  const ResizableImage identity_;  // for items that were resized before

  at::Tensor host_bytes_;    // pinned
  at::Tensor device_bytes_;  // as many
  at::Tensor host_scores_;   // pinned; max_batch rows
  at::Tensor host_values_;   // pinned; max_batch rows as the network wants them; only with tensors
  std::vector<std::size_t> tensor_rows_;  // of what is staged
  std::size_t count_ = 0;                 // items staged
  RaggedLayout layout_;                   // of what is staged; only `used` where it is not ragged
  CudaEvent copied_;
  CudaEvent done_;
};

}  // namespace xcloud
