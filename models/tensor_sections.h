// The [input] and [output] tables of model.toml: what a model takes that takes no photos, and what
// one gives that gives values and no labels. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "core/toml_reader.h"
#include "models/model_definition.h"

namespace xcloud {

// Reads both into `model`; a table that is not there leaves photos, or labels. What is wrong goes
// into `errors`, as "file:line: input.dims: why". Dims are whole numbers from 1, and their product
// is bounded: these tensors have one size.
void ReadTensorSections(TomlReader& root, const std::string& file, ModelDefinition& model,
                        std::vector<std::string>& errors);

// Their keys as Markdown tables.
void AppendTensorSectionTables(std::string& out);

}  // namespace xcloud
