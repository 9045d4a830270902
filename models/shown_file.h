// ShownFile: how messages name a file of the repository: "NAME/1/model.pt", or with the folders
// between. Callers read them, so where on the machine the repository lies is left out. Pure.
#pragma once

#include <filesystem>
#include <string>

#include "models/model_definition.h"

namespace xcloud {

inline std::string ShownFile(const ModelDefinition& model, const std::filesystem::path& file) {
  const std::filesystem::path inside = file.lexically_relative(model.folder);
  if (!model.folder.empty() && !inside.empty() && *inside.begin() != "..") {
    return model.name + "/" + inside.generic_string();
  }
  return model.name + "/" + file.parent_path().filename().string() + "/" + file.filename().string();
}

}  // namespace xcloud
