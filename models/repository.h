// Repository: the folder of models on disk, read at start, and one model's folder at each load.
//
//   ROOT/NAME/model.toml, labels.txt     what the service is
//   ROOT/NAME/VERSION/FILE               its weights; VERSION is a whole number from 1
//
// Reads definitions and finds weights; loads nothing. Any thread; takes milliseconds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/inference_service.h"
#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

// One folder that becomes a service, whatever state it is in.
struct RepositoryEntry {
  ModelDefinition definition;  // of a kFailed entry only name, folder and title are set
  ServiceState state = ServiceState::kLoading;  // kLoading (weights found), kNoWeights or kFailed
  std::string reason;                           // why there is nothing to load; for callers
  std::string version;                          // "1"; empty unless kLoading
  std::filesystem::path weights;  // the file; empty for the null backend and pipelines
};

// Every folder of ROOT with a model's name (IsModelName), by name. A wrong model.toml gives a
// kFailed entry and does not stop the others; other names are logged and skipped. The highest
// version that has its file is taken; the null backend and pipelines need none and are version "1".
// NotFound when ROOT is not a folder that can be read.
Result<std::vector<RepositoryEntry>> ScanRepository(const std::filesystem::path& root);

// One folder of ROOT, as ScanRepository reads it. REQUIRES: IsModelName of the folder's name.
RepositoryEntry ReadRepositoryEntry(const std::filesystem::path& folder);

}  // namespace xcloud
