#include "models/repository.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "core/log.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInstall = "'make weights' installs those that can be had";

// The number that a version's folder is named after; 0 when it is none. "01" is none: it would
// be the same version as "1".
std::int64_t VersionNumber(const std::string& name) {
  std::int64_t number = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end && name.front() != '0';
  return whole && number > 0 ? number : 0;
}

// The folders inside `root`, by name. `error` tells whether root could be read.
std::vector<fs::path> FoldersOf(const fs::path& root, std::error_code& error) {
  std::vector<fs::path> folders;
  fs::directory_iterator item(root, error);
  while (!error && item != fs::directory_iterator()) {
    std::error_code ignored;
    if (item->is_directory(ignored)) folders.push_back(item->path());
    item.increment(error);
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// Finds the highest version that has the weights; leaves `version` empty when none has.
void FindWeights(RepositoryEntry& entry) {
  std::int64_t highest = 0;
  std::error_code error;
  for (const fs::path& folder : FoldersOf(entry.definition.folder, error)) {
    const std::int64_t number = VersionNumber(folder.filename().string());
    const fs::path file = folder / entry.definition.file;
    std::error_code ignored;
    if (number > highest && fs::is_regular_file(file, ignored)) {
      highest = number;
      entry.weights = file;
    }
  }
  if (highest > 0) entry.version = std::to_string(highest);
}

}  // namespace

RepositoryEntry ReadRepositoryEntry(const fs::path& folder) {
  RepositoryEntry entry;
  Result<ModelDefinition> definition = ReadModelDefinition(folder);
  if (!definition.ok()) {
    entry.definition.name = entry.definition.title = folder.filename().string();
    entry.definition.folder = folder;
    entry.state = ServiceState::kFailed;
    entry.reason = definition.status().message();
    return entry;
  }
  entry.definition = *std::move(definition);
  if (entry.definition.synthetic() || entry.definition.is_pipeline()) {
    entry.version = "1";
    return entry;
  }
  FindWeights(entry);
  if (entry.version.empty()) {
    entry.state = ServiceState::kNoWeights;
    entry.reason = "its weights are not installed: the model repository has no " +
                   entry.definition.name + "/1/" + entry.definition.file + " (" +
                   (entry.definition.install.empty() ? kInstall : entry.definition.install) + ")";
  }
  return entry;
}

Result<std::vector<RepositoryEntry>> ScanRepository(const fs::path& root) {
  std::error_code error;
  const std::vector<fs::path> folders = FoldersOf(root, error);
  if (error) {
    return Status::NotFound("[repository] path: cannot read the folder '" + root.string() +
                            "': " + error.message());
  }
  std::vector<RepositoryEntry> entries;
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    if (IsModelName(name)) {
      entries.push_back(ReadRepositoryEntry(folder));
    } else {
      spdlog::warn("repository: skipping the folder '{}': a model's name has only a-z 0-9 _ -",
                   name);
    }
  }
  return entries;
}

}  // namespace xcloud
