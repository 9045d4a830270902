// A TorchScript network on one CUDA lane. Pixels go over on the lane's copy stream as bytes, are
// normalised (and, where the device resizes, resized and cropped) on the GPU, run, and come back
// as scores on its exec stream. Two slots: one batch goes over while the other runs.
//
//   copy stream   [ pixels of k + 1 ]----event---.
//   exec stream   [ k: normalise, forward, scores ][ k + 1: normalise, forward, scores ]
//   the lane      sleeps on an event of the slot until its scores are in pinned memory
//
// The forward is a CUDA graph for each bucket, recorded while warming up and checked against an
// eager forward; a network that cannot be recorded, or gives something else, runs eagerly (logged).
// Padding rows of the network's input are zeroed for every batch, and only the items' scores are
// copied out. Until EnterService everything runs on a stream of the loader's own, so that warming
// up never queues in front of what serves. Threads: as Network.
#pragma once

#include <cstddef>
#include <memory>

#include <c10/cuda/CUDAStream.h>

#include "core/result.h"
#include "models/cuda_handles.h"
#include "models/model_definition.h"
#include "models/network.h"
#include "models/torchscript_module.h"

namespace xcloud {

// Of one lane; shared by the networks of all models on it.
struct CudaLaneStreams {
  c10::cuda::CUDAStream exec;
  std::shared_ptr<CudaStream> copy;
};

struct CudaNetworkOptions {
  TorchScriptTarget target;  // the one that the module was loaded with
  std::size_t slots = 2;     // Device::depth
  bool resize = false;       // takes NetworkItem::image as well
  bool graphs = true;        // false: always eager, for tests
};

// Current stream and device: the loader's, while this runs and while the network warms up.
// InvalidArgument when the device's or the pinned memory does not suffice.
Result<std::unique_ptr<Network>> MakeCudaNetwork(std::shared_ptr<TorchScriptModule> module,
                                                 const ModelDefinition& model,
                                                 const CudaNetworkOptions& options,
                                                 const CudaLaneStreams& streams);

}  // namespace xcloud
