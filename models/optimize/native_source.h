// NativeSource: a network of the zoo with a version's weights, written as TorchScript: what
// variants of backend native are made from. In builds with LibTorch only (XCLOUD_HAS_TORCH).
#pragma once

#include <filesystem>

#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

// Takes seconds; any thread. InvalidArgument: what zoo::LoadZooModule says. Internal: the file
// cannot be written. REQUIRES: model.reference_backend() is "native".
Status SaveNativeSource(const ModelDefinition& model, const std::filesystem::path& weights,
                        const std::filesystem::path& file);

}  // namespace xcloud
