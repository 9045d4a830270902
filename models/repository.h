// Repository: the folder of models on disk, read at start, and one model's folder at each load.
//
//   ROOT/NAME/model.toml, labels.txt     what the service is
//   ROOT/NAME/VERSION/FILE               its weights; VERSION is a whole number from 1
//   ROOT/NAME/VERSION/SHA256SUMS         checked before a load where it is there (checksum.h)
//
// Nothing outside ROOT is read: names are checked, and a symbolic link that leads out of ROOT is
// refused, be it a service's folder, a version's or a file. ROOT itself may be a link.
//
// Reads definitions and finds weights; loads nothing. Any thread; takes milliseconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/inference_service.h"
#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

// A version of which there is the file that gets loaded.
struct RepositoryVersion {
  std::int64_t number = 0;
  std::filesystem::path weights;  // empty for the null backend and pipelines
};

// One folder that becomes a service, whatever state it is in.
struct RepositoryEntry {
  ModelDefinition definition;  // of a kFailed entry only name, folder and title are set
  ServiceState state = ServiceState::kLoading;  // kLoading (weights found), kNoWeights or kFailed
  std::string reason;                           // why there is nothing to load; for callers
  std::vector<RepositoryVersion> versions;      // by rising number; empty unless kLoading
  std::string version;            // "1": one of them, the highest; empty unless kLoading
  std::filesystem::path weights;  // of `version`

  // The same for another version, one of `versions`.
  RepositoryEntry Of(std::int64_t number) const;
};

// Every folder of ROOT with a model's name (IsModelName), by name. A wrong model.toml gives a
// kFailed entry and does not stop the others; other names are logged and skipped. The null backend
// and pipelines need no file: their versions are the folders that there are, or 1.
// NotFound when ROOT is not a folder that can be read.
Result<std::vector<RepositoryEntry>> ScanRepository(const std::filesystem::path& root);

// One folder of ROOT, as ScanRepository reads it; its parent is taken for ROOT. REQUIRES:
// IsModelName of the folder's name.
RepositoryEntry ReadRepositoryEntry(const std::filesystem::path& folder);

// What can be wrong with the files of `entry.version` before they are loaded: links that leave the
// repository, checksums. Reads all of them. InvalidArgument, one a line.
Status CheckVersionFiles(const RepositoryEntry& entry);

}  // namespace xcloud
