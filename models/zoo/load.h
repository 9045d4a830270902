// LoadZooModule: a network's name and a file of weights to a TorchScript module that can be served
// or saved. What backend = "native" does; only .cpp files include this.
//
// Threads: any. Nothing is thrown.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include <torch/csrc/jit/api/module.h>

#include "core/result.h"

namespace xcloud::zoo {

// True for the endings of files that hold weights alone: .safetensors .pth .ckpt
bool IsWeightsFile(const std::filesystem::path& file);

// The network with `outputs` columns (0 = its own number), on the CPU, in eval mode, float32.
// `item_dims` empty = the network's own. InvalidArgument: no such network, a file that cannot be
// read, weights that do not fit (all of them named).
Result<torch::jit::Module> LoadZooModule(std::string_view network, std::int64_t outputs,
                                         const std::filesystem::path& weights,
                                         std::span<const std::int64_t> item_dims = {});

}  // namespace xcloud::zoo
