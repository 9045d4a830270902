// What every kind of device runs alike, because it needs no device: the null and echo backends, and
// measures on a lane's own thread. Pure dispatch; threads as Device::MakeNetworks.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// Nothing when the model is for a device's own backends.
std::optional<Result<std::vector<std::unique_ptr<Network>>>> MakeHostNetworks(
    const ModelDefinition& model, const std::filesystem::path& weights, std::size_t lanes);

}  // namespace xcloud
