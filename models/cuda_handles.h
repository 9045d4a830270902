// Owners of raw CUDA handles, and one word for their errors. A handle that could not be made keeps
// the error and gives it back whenever it is used. Threads: as CUDA has it, any, on the device
// that was current when it was made.
#pragma once

#include <string>

#include <cuda_runtime_api.h>

#include "core/status.h"

namespace xcloud {

// Internal, with CUDA's own words; for the log, not for callers.
inline Status CudaStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return Status::Ok();
  return Status::Internal(std::string(what) + ": " + cudaGetErrorString(error));
}

// A stream that does not wait for the legacy default stream. High priority: short copies of what
// serves overtake bulk work on the same GPU.
class CudaStream {
 public:
  CudaStream() {
    int least = 0;
    int greatest = 0;
    error_ = cudaDeviceGetStreamPriorityRange(&least, &greatest);
    if (error_ == cudaSuccess) {
      error_ = cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest);
    }
  }
  ~CudaStream() {
    if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
  }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  cudaError_t error() const { return error_; }
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
  cudaError_t error_ = cudaSuccess;
};

// An event whose waiters sleep in the driver: a lane that spun would take a core from decoding.
class CudaEvent {
 public:
  CudaEvent() {
    error_ = cudaEventCreateWithFlags(&event_, cudaEventBlockingSync | cudaEventDisableTiming);
  }
  ~CudaEvent() {
    if (event_ != nullptr) (void)cudaEventDestroy(event_);
  }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  cudaError_t Record(cudaStream_t stream) {
    return error_ != cudaSuccess ? error_ : cudaEventRecord(event_, stream);
  }
  // What is queued on `stream` from now on waits; the calling thread does not.
  cudaError_t HoldBack(cudaStream_t stream) {
    return error_ != cudaSuccess ? error_ : cudaStreamWaitEvent(stream, event_, 0);
  }
  cudaError_t Wait() { return error_ != cudaSuccess ? error_ : cudaEventSynchronize(event_); }

 private:
  cudaEvent_t event_ = nullptr;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace xcloud
