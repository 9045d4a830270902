// A TorchScript network on one CUDA lane: pixels go over as bytes, are normalised on the GPU, and
// the scores come back, all on the lane's own stream; the lane sleeps until they are there.
//
// Batches are padded to a bucket so that cuDNN sees few shapes. Padding rows are zero pixels and
// their scores are never copied out. Threads: as Network.
#pragma once

#include <memory>

#include <c10/cuda/CUDAStream.h>

#include "core/clock.h"
#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"
#include "models/torchscript_module.h"

namespace xcloud {

// InvalidArgument when the device's or the pinned memory does not suffice. `target` is the one
// that the module was loaded with. The clock must outlive the network.
Result<std::unique_ptr<Network>> MakeCudaNetwork(std::shared_ptr<TorchScriptModule> module,
                                                 const TorchScriptTarget& target,
                                                 const ModelDefinition& model,
                                                 c10::cuda::CUDAStream stream, const Clock& clock);

}  // namespace xcloud
