// CudaGraphs: the recorded forwards of one network on one lane, a CUDA graph a bucket. A replay is
// one launch instead of hundreds.
//
// All graphs of a network share one private memory pool, so they must be replayed one after the
// other, on one stream at a time; what they read and write must stay where it was at the capture.
//
// cuBLAS: LibTorch keeps a workspace for each (handle, stream) and a graph keeps its address, so
// eager work that comes to the same pair later would write where a replay works (pytorch issue
// 193402). Capture therefore makes cuBLAS take a workspace out of the private pool, and keeps it.
//
// Capturing is thread-local: other threads may allocate, copy and synchronise meanwhile. One
// capture at a time in the process, by a lock. Threads: Capture and Replay by one at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include "core/status.h"

namespace xcloud {

class CudaGraphs {
 public:
  explicit CudaGraphs(c10::DeviceIndex device);

  // Records what `forward` queues on `stream`, which is idle, not the default stream and the
  // current one; the same must have run there before. Internal when it cannot be recorded: the
  // stream is usable again, and the bucket has no graph.
  Status Capture(std::size_t bucket, c10::cuda::CUDAStream stream,
                 const std::function<Status()>& forward);
  bool Has(std::size_t bucket) const { return graphs_.count(bucket) != 0; }
  // Queues the recorded forward on the current stream. REQUIRES: Has(bucket). Throws c10::Error.
  void Replay(std::size_t bucket) { graphs_.at(bucket)->replay(); }
  void Drop(std::size_t bucket) { graphs_.erase(bucket); }

 private:
  const c10::DeviceIndex device_;
  const at::cuda::MempoolId_t pool_;
  std::vector<at::DataPtr> workspaces_;
  std::map<std::size_t, std::unique_ptr<at::cuda::CUDAGraph>> graphs_;
};

}  // namespace xcloud
