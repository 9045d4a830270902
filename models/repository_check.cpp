#include "models/repository_check.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "core/config.h"
#include "models/network.h"
#include "models/repository.h"
#include "models/version_policy.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

// The folders in `root`, by name. `error` tells whether it could be read.
std::vector<fs::path> FoldersIn(const fs::path& root, std::error_code& error) {
  std::vector<fs::path> folders;
  for (fs::directory_iterator item(root, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    std::error_code ignored;
    if (item->is_directory(ignored)) folders.push_back(item->path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

class Check {
 public:
  explicit Check(const RepositoryCheckOptions& options) : options_(options) {}

  void Service(const fs::path& folder) {
    const std::string name = folder.filename().string();
    if (!IsModelName(name)) {
      return Note(name + ": skipped: a model's name has only a-z 0-9 _ -");
    }
    ++report_.services;
    const RepositoryEntry entry = ReadRepositoryEntry(folder);
    VersionFolders(folder, entry);
    if (entry.state == ServiceState::kFailed) return Wrong(entry.reason);
    Policy(entry);
    if (entry.state == ServiceState::kNoWeights) return Note(name + ": " + entry.reason);
    for (const RepositoryVersion& version : entry.versions) Version(entry.Of(version.number));
  }

  RepositoryReport Take() { return std::move(report_); }

 private:
  // Folders that look like versions and are none, or that lack the file.
  void VersionFolders(const fs::path& folder, const RepositoryEntry& entry) {
    const std::string name = folder.filename().string() + "/";
    std::error_code ignored;
    for (const fs::path& version : FoldersIn(folder, ignored)) {
      const std::string shown = name + version.filename().string();
      const std::int64_t number = VersionNumber(version.filename().string());
      if (number == 0) {
        const char first = version.filename().string().front();
        if (first >= '0' && first <= '9') {
          Wrong(shown + ": no version: those are whole numbers from 1, without zeros in front");
        }
        continue;
      }
      const bool found = std::any_of(entry.versions.begin(), entry.versions.end(),
                                     [&](const auto& one) { return one.number == number; });
      if (!found && entry.state != ServiceState::kFailed) {
        Wrong(shown + ": there is no " + entry.definition.file + " in it");
      }
    }
  }

  void Policy(const RepositoryEntry& entry) {
    std::vector<std::int64_t> present;
    for (const RepositoryVersion& version : entry.versions) present.push_back(version.number);
    const ModelDefinition& definition = entry.definition;
    for (const std::int64_t missing : PlanVersions(definition.versions, present).missing) {
      std::string labels;
      for (const auto& [label, number] : definition.versions.labels) {
        if (number == missing) labels += " '" + label + "'";
      }
      Wrong(definition.name + "/model.toml: versions." +
            (labels.empty() ? "list" : "labels" + labels) + ": there is no version " +
            std::to_string(missing));
    }
  }

  void Version(const RepositoryEntry& entry) {
    ++report_.versions;
    const std::string shown = entry.definition.name + "/" + entry.version;
    if (options_.on_version) options_.on_version(shown);
    const Status files = CheckVersionFiles(entry);
    if (!files.ok()) return Wrong(files.message());
    if (options_.load && !entry.definition.is_pipeline()) Network(entry, shown);
  }

  void Network(const RepositoryEntry& entry, const std::string& shown) {
    if (devices_.empty()) {
      auto opened = OpenDevices({DeviceConfig()});  // one CPU lane
      if (!opened.ok()) return Wrong(opened.status().message());
      devices_ = *std::move(opened);
    }
    const auto networks = devices_[0]->MakeNetworks(entry.definition, entry.weights);
    if (!networks.ok()) return Wrong(networks.status().message());
    const std::size_t scores = networks->front()->output_size();
    if (scores != entry.definition.score_count()) {
      Wrong(shown + ": " + entry.definition.ScoresDeclared() + ", but the network gives " +
            std::to_string(scores) + " scores");
    }
  }

  // One finding a line of it.
  void Wrong(const std::string& text) {
    std::size_t start = 0;
    while (start <= text.size()) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      report_.findings.push_back({true, text.substr(start, end - start)});
      start = end + 1;
    }
  }
  void Note(std::string text) { report_.findings.push_back({false, std::move(text)}); }

  const RepositoryCheckOptions& options_;
  std::vector<std::unique_ptr<Device>> devices_;  // from the first network on
  RepositoryReport report_;
};

}  // namespace

std::size_t RepositoryReport::wrong() const {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [](const auto& one) { return one.wrong; }));
}

Result<RepositoryReport> CheckRepository(const fs::path& folder,
                                         const RepositoryCheckOptions& options) {
  std::error_code error;
  const std::vector<fs::path> folders = FoldersIn(folder, error);
  if (error) {
    return Status::NotFound("cannot read the folder '" + folder.string() + "': " + error.message());
  }
  Check check(options);
  if (fs::exists(folder / "model.toml", error)) {
    fs::path model = folder.lexically_normal();  // "configs/models/imagenet/" has no last name
    if (!model.has_filename()) model = model.parent_path();
    check.Service(fs::absolute(model, error));
  } else {
    for (const fs::path& one : folders) check.Service(one);
  }
  return check.Take();
}

}  // namespace xcloud
