// The AOTInductor backend on CPU lanes: .pt2 packages that torch.export and AOTInductor compiled to
// a shared library. LibTorch behind plain types. In builds with LibTorch only (XCLOUD_HAS_TORCH).
//
// A package is code for the processor that it was compiled on (-march=native): elsewhere it may end
// the process with an illegal instruction, which nothing can catch. `xcloud model optimize` keeps
// its packages under the host's key for that; whoever names a .pt2 in model.toml must know that it
// was compiled for the host. Its code is trusted as the server's own is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// Loads the package once and makes one Network for each of `lanes`; they share the weights. A
// package whose metadata says xcloud_batch = "1" runs a batch item by item; any other one is given
// the batch. InvalidArgument names the file and what is wrong with it: it is missing, no package,
// does not take the declared fp32 input, or does not give one fp32 row an item.
Result<std::vector<std::unique_ptr<Network>>> MakeAotiNetworks(const ModelDefinition& model,
                                                               const std::filesystem::path& file,
                                                               std::size_t lanes);

}  // namespace xcloud
