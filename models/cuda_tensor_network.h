// A network of tensors (ModelDefinition::tensor_input) on one CUDA lane. Items go over as FP32 on
// the lane's exec stream, in front of the forward: they are small beside photos, so they need
// neither a copy stream of their own nor a kernel. No graph: a stage of a pipeline is asked in
// every size. Until EnterService everything runs on the loader's stream. Threads: as Network.
#pragma once

#include <memory>

#include "core/result.h"
#include "models/cuda_network.h"

namespace xcloud {

// Current stream and device: the loader's. InvalidArgument when memory does not suffice.
Result<std::unique_ptr<Network>> MakeCudaTensorNetwork(std::shared_ptr<TorchScriptModule> module,
                                                       const ModelDefinition& model,
                                                       const CudaNetworkOptions& options,
                                                       const CudaLaneStreams& streams);

}  // namespace xcloud
