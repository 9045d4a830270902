#include "models/repository.h"

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "models/checksum.h"
#include "models/repository_files.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInstall = "'make weights' installs those that can be had";

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

// The versions that have the file, by rising number; of what needs no file, all folders.
std::vector<RepositoryVersion> FindVersions(const ModelDefinition& definition) {
  const bool needs_file = !definition.synthetic() && !definition.is_pipeline();
  std::vector<RepositoryVersion> versions;
  std::error_code error;
  for (const fs::path& folder : FoldersOf(definition.folder, error)) {
    const std::int64_t number = VersionNumber(folder.filename().string());
    if (number == 0) continue;
    const fs::path file = needs_file ? folder / definition.file : fs::path();
    std::error_code ignored;
    if (!needs_file || fs::is_regular_file(file, ignored)) versions.push_back({number, file});
  }
  if (!needs_file && versions.empty()) versions.push_back({1, {}});
  std::sort(versions.begin(), versions.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return versions;
}

RepositoryEntry FailedEntry(const fs::path& folder, std::string reason) {
  RepositoryEntry entry;
  entry.definition.name = entry.definition.title = folder.filename().string();
  entry.definition.folder = folder;
  entry.state = ServiceState::kFailed;
  entry.reason = std::move(reason);
  return entry;
}

// The folder and what is read of it at once; a version's files are checked when it is loaded.
Status CheckFolderInside(const fs::path& folder) {
  const std::string name = folder.filename().string();
  const fs::path root = folder.parent_path();
  Status status = CheckInside(root, folder, name);
  for (const char* file : {"model.toml", "labels.txt"}) {
    if (status.ok()) status = CheckInside(root, folder / file, name + "/" + file);
  }
  return status;
}

}  // namespace

RepositoryEntry RepositoryEntry::Of(std::int64_t number) const {
  RepositoryEntry entry = *this;
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [&](const auto& one) { return one.number == number; });
  XC_CHECK(found != versions.end());
  entry.version = std::to_string(number);
  entry.weights = found->weights;
  return entry;
}

RepositoryEntry ReadRepositoryEntry(const fs::path& folder) {
  if (Status inside = CheckFolderInside(folder); !inside.ok()) {
    return FailedEntry(folder, inside.message());
  }
  Result<ModelDefinition> definition = ReadModelDefinition(folder);
  if (!definition.ok()) return FailedEntry(folder, definition.status().message());
  RepositoryEntry entry;
  entry.definition = *std::move(definition);
  entry.versions = FindVersions(entry.definition);
  if (!entry.versions.empty()) return entry.Of(entry.versions.back().number);
  entry.state = ServiceState::kNoWeights;
  entry.reason = "its weights are not installed: the model repository has no " +
                 entry.definition.name + "/1/" + entry.definition.file + " (" +
                 (entry.definition.install.empty() ? kInstall : entry.definition.install) + ")";
  return entry;
}

Status CheckVersionFiles(const RepositoryEntry& entry) {
  const fs::path folder = entry.definition.folder / entry.version;
  const std::string shown = entry.definition.name + "/" + entry.version;
  const fs::path root = entry.definition.folder.parent_path();
  if (Status inside = CheckInside(root, folder, shown); !inside.ok()) return inside;
  std::string wrong;
  for (const FileStamp& file : StampOf(folder)) {
    const Status inside = CheckInside(root, folder / file.name, shown + "/" + file.name);
    if (!inside.ok()) wrong += (wrong.empty() ? "" : "\n") + inside.message();
  }
  if (!wrong.empty()) return Status::InvalidArgument(wrong);
  return entry.weights.empty() ? Status::Ok() : CheckChecksums(folder, entry.definition.file);
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
