// TraceNetwork: a network of the zoo as a TorchScript module, so that all that serves TorchScript
// (freezing, oneDNN, CUDA graphs, other tools) serves it, too. Only .cpp files include this.
//
// forward is recorded once on a batch of two; the zoo's networks use no size of the batch as a
// number, so the recording runs any batch. Parameters and buffers become attributes under their
// own names and share the network's memory.
//
// Threads: one at a time for a network. Nothing is thrown.
#pragma once

#include <cstdint>
#include <span>

#include <torch/csrc/jit/api/module.h>

#include "core/result.h"
#include "models/zoo/zoo.h"

namespace xcloud::zoo {

// Puts the network into eval mode and records it on items of these dims. InvalidArgument when it
// cannot run them.
Result<torch::jit::Module> TraceNetwork(Layer& network, std::span<const std::int64_t> item_dims);

}  // namespace xcloud::zoo
