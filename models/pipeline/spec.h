// PipelineSpec: the [pipeline] table of model.toml: which service of several stages a folder is,
// and what it keeps. Plain values and pure functions; any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/toml_reader.h"

namespace xcloud {

struct ModelDefinition;

struct PipelineSpec {
  std::string kind;                // "facesearch", "faces", "fbp", "cbir", "zhihuliveeval"
  std::string embedding;           // model whose values the gallery holds; empty = the kind's own
  std::filesystem::path state;     // the gallery's file
  std::size_t max_entries = 0;     // of the gallery
  double min_face = 20;            // pixels of the photo: smaller faces are not looked for
  std::filesystem::path features;  // rows that answers are about: CSV
  std::filesystem::path scaler;    // least and greatest value of each feature: CSV; empty = none
};

// Reads [pipeline] into model.pipeline; it is needed by backend = "pipeline" and nobody else's.
// What is wrong goes into `errors`, as "file:line: pipeline.kind: why".
void ReadPipelineSection(TomlReader& root, const std::string& file, ModelDefinition& model,
                         std::vector<std::string>& errors);

// Its keys as a Markdown table.
void AppendPipelineTable(std::string& out);

}  // namespace xcloud
