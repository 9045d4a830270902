// The brisque backend: how good a photo looks, without a reference: BRISQUE (Mittal, Moorthy,
// Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", 2012), by OpenCV's quality
// module with its model of the LIVE photos. One value an item: 0 is best, 100 worst.
//
// No network, but served as one: its requests take the same queue, batch and lane. It runs on the
// lane's own thread, on a device of any kind, one photo after the other. Threads: as Network.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// `file` is the model ("brisque_model_live.yml"); the ranges of its features lie beside it, under
// the same name with "range" for "model". InvalidArgument when either is missing or is no such
// file, or when [output] does not declare one value.
Result<std::vector<std::unique_ptr<Network>>> MakeBrisqueNetworks(const ModelDefinition& model,
                                                                  const std::filesystem::path& file,
                                                                  std::size_t lanes);

}  // namespace xcloud
