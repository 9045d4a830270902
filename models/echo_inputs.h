// The [[input]] tables of model.toml, with which an echo model declares what it takes and gives
// back. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "core/toml_reader.h"
#include "models/model_definition.h"

namespace xcloud {

// Reads them all; marks the key as known to `root`. What is wrong goes into `errors`, as
// "file:line: input.0.dims: why". One at least is needed.
std::vector<EchoTensor> ReadEchoInputs(const toml::table& table, TomlReader& root,
                                       const std::string& file, std::vector<std::string>& errors);

// Their keys as a Markdown table.
void AppendEchoInputTable(std::string& out);

}  // namespace xcloud
