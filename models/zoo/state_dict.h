// StateDict: a network's weights by name, read from a checkpoint and put into a network.
//
// Files, told apart by what they hold, not by their name:
//   .safetensors                     models/zoo/safetensors.h
//   .pth .pt .ckpt of torch.save     models/zoo/torch_checkpoint.h (zip format, torch 1.6 or later)
// Neither can run code. Older torch.save files are refused in words that name
// convert_checkpoint.py.
//
// Threads: all functions from any thread; LoadStateDict needs the network for itself. Nothing is
// thrown.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/result.h"
#include "models/zoo/zoo.h"

namespace xcloud::zoo {

using StateDict = std::map<std::string, at::Tensor>;

// Reads any of these files and takes its weights out: a checkpoint that holds them as
// "state_dict", "model_state_dict", "model", "net" or "ema" beside other things is opened, and a
// prefix that all names share because of how the network was wrapped ("module.", "_orig_mod.") is
// taken off. InvalidArgument names the file (its last part only) and what is wrong with it.
Result<StateDict> ReadStateDict(const std::filesystem::path& file);

// Puts all weights into the network, as float32 on the CPU, and leaves it in the mode it was in.
// Strict: InvalidArgument lists every missing, unexpected and misshapen name at once. Only a
// norm's num_batches_tracked may be missing, and names that start with a non-empty
// `training_only` are left out. The network then shares memory with `weights` where no type had
// to be changed.
Status LoadStateDict(const StateDict& weights, std::string_view training_only, Layer& network);

// The network's parameters and buffers by name; tensors share its memory.
StateDict StateDictOf(const Layer& network);

}  // namespace xcloud::zoo
