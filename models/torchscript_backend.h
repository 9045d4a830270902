// The TorchScript backend on CPU lanes: LibTorch behind plain types, so that only its own .cpp
// pays for LibTorch's headers. In builds with LibTorch only (XCLOUD_HAS_TORCH).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// Loads the file once and makes one Network for each of `lanes`; they share the weights and have
// staging memory of their own, max_batch items of fp32. A batch runs at the size that it is asked
// for; the rows behind its items are zero. InvalidArgument names the file and what is wrong with
// it.
Result<std::vector<std::unique_ptr<Network>>> MakeTorchScriptNetworks(
    const ModelDefinition& model, const std::filesystem::path& file, std::size_t lanes);

// Sets how many threads LibTorch uses for the work that the calling thread gives it. Affects no
// other thread. REQUIRES: threads >= 1.
void SetTorchThreads(std::size_t threads);

}  // namespace xcloud
