// StageRows: a batch in the memory of the host, as the networks of CPU lanes take it: rows of fp32
// in the layout that the model declares. Shared by every backend that runs on the CPU.
//
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// The shape of a batch of `items`: [n, 3, h, w] or [n, h, w, 3], as the spec's layout says; or that
// of the model's tensors.
std::vector<std::int64_t> BatchShape(const PreprocessSpec& spec, std::size_t items);
std::vector<std::int64_t> BatchShape(const ModelDefinition& model, std::size_t items);

// Writes run_items rows of model.item_values() floats: photos normalised, tensors as they are, and
// zeros behind the items: what an earlier, larger batch left there must not reach a network that
// mixes rows. REQUIRES: 1 <= items.size() <= run_items; each item has pixels or a tensor.
void StageRows(const ModelDefinition& model, std::span<const NetworkItem> items,
               std::size_t run_items, float* rows);

// A batch that nobody sent, to try a network on when it is loaded: through the very staging that
// serves, so that it has the network's own range; neither flat nor periodic.
std::vector<float> ProbeRows(const ModelDefinition& model, std::size_t items);

// How many items such a batch should have: 2, where the model allows them.
std::size_t ProbeItems(const ModelDefinition& model);

}  // namespace xcloud
