#include "models/cuda_graphs.h"

#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include <ATen/cuda/CUDAContextLight.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "core/mutex.h"
#include "models/cuda_handles.h"

namespace xcloud {
namespace {

// LibTorch's books of capturing graphs and generators are the process's.
Mutex& CaptureMutex() {
  static Mutex mutex;
  return mutex;
}

// Takes cuBLAS's workspaces for `stream` out of LibTorch's books; the next call makes new ones.
std::vector<at::DataPtr> TakeWorkspaces(cudaStream_t stream) {
  std::vector<at::DataPtr> taken;
  for (at::cuda::WorkspaceMapWithMutex* books :
       {&at::cuda::cublas_handle_stream_to_workspace(),
        &at::cuda::cublaslt_handle_stream_to_workspace()}) {
    const std::unique_lock<std::shared_mutex> lock(books->mutex);
    for (auto entry = books->map.begin(); entry != books->map.end();) {
      if (std::get<1>(entry->first) != static_cast<void*>(stream)) {
        ++entry;
        continue;
      }
      taken.push_back(std::move(entry->second));
      entry = books->map.erase(entry);
    }
  }
  return taken;
}

}  // namespace

CudaGraphs::CudaGraphs(c10::DeviceIndex device)
    : device_(device), pool_(at::cuda::graph_pool_handle()) {}

Status CudaGraphs::Capture(std::size_t bucket, c10::cuda::CUDAStream stream,
                           const std::function<Status()>& forward) {
  MutexLock one_at_a_time(CaptureMutex());
  TakeWorkspaces(stream.stream());  // of eager runs, and given back: the stream is idle
  auto graph = std::make_unique<at::cuda::CUDAGraph>();
  std::string wrong;
  try {
    graph->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    const Status recorded = forward();
    if (!recorded.ok()) wrong = recorded.message();
    graph->capture_end();
  } catch (const std::exception& error) {
    if (wrong.empty()) wrong = error.what();
    // A capture that broke off leaves the allocator sending this stream's requests to the pool.
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device_, pool_);
    } catch (const std::exception&) {  // it was over already
    }
    cudaGraph_t rest = nullptr;
    (void)cudaStreamEndCapture(stream.stream(), &rest);
    if (rest != nullptr) (void)cudaGraphDestroy(rest);
    (void)cudaGetLastError();  // told by `wrong`; the next call must not meet it
  }
  for (at::DataPtr& workspace : TakeWorkspaces(stream.stream())) {
    workspaces_.push_back(std::move(workspace));
  }
  if (!wrong.empty()) return Status::Internal(wrong.substr(0, wrong.find('\n')));
  graphs_[bucket] = std::move(graph);
  return Status::Ok();
}

}  // namespace xcloud
