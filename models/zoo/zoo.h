// Zoo: the networks that XCloud builds by itself, by name, so that a plain state dict can be
// served, published and trained without Python.
//
// Parameter names are torchvision's where torchvision has the network, else those of the first
// XCloud's own repositories, so that checkpoints load as they are. Every network gives one FP32
// tensor [n, outputs]; where the original gives several, they are columns side by side.
//
// Threads: all functions from any thread. A network is its owner's alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud::zoo {

class Layer;  // models/zoo/layers.h: a torch::nn::Module with forward

struct ZooEntry {
  std::string_view name;            // "resnet50"
  std::string_view description;     // for lists; one line
  std::vector<std::int64_t> input;  // dims of one item: {3, 224, 224} or {23}
  std::int64_t outputs = 0;         // columns when the caller asks for none
  bool fixed_outputs = false;       // other numbers are refused
  // Weights that only its training used, which checkpoints may hold and serving leaves out: names
  // that start so. Empty = none.
  std::string_view training_only;
  std::shared_ptr<Layer> (*make)(std::int64_t outputs) = nullptr;
};

// All networks, in the order of the documentation.
std::span<const ZooEntry> ListZoo();

// Null when there is none of that name.
const ZooEntry* FindZooEntry(std::string_view name);

// The network with `outputs` columns (0 = its own number), in training mode. Its weights are zero
// until LoadStateDict (models/zoo/state_dict.h) or Initialize (models/zoo/layers.h).
// InvalidArgument: no such network (the message lists them all), or it has a fixed number.
Result<std::shared_ptr<Layer>> MakeZooNetwork(std::string_view name, std::int64_t outputs);

}  // namespace xcloud::zoo
