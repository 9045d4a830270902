#include "models/repository_watch.h"

#include <set>
#include <system_error>
#include <utility>

#include "models/model_definition.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

Result<std::set<std::string>> NamesIn(const fs::path& root) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator item(root, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    const std::string name = item->path().filename().string();
    std::error_code ignored;
    if (IsModelName(name) && item->is_directory(ignored)) names.insert(name);
  }
  if (error) return Status::NotFound("cannot read the repository: " + error.message());
  return names;
}

}  // namespace

Result<RepositoryWatch::Changes> RepositoryWatch::Look() {
  const Result<std::set<std::string>> names = NamesIn(root_);
  if (!names.ok()) return names.status();
  Changes changes;
  for (const std::string& name : *names) {
    ServiceStamp now = StampOfService(root_ / name);
    Folder& folder = folders_[name];
    folder.missing = false;
    // A folder without a model.toml is none yet.
    const bool settled = now == folder.seen && !now.definition.empty();
    if (settled && now != folder.acted) {
      changes.changed.push_back(name);
      folder.acted = now;
    }
    folder.seen = std::move(now);
  }
  for (auto folder = folders_.begin(); folder != folders_.end();) {
    const bool gone = names->count(folder->first) == 0;
    if (gone && folder->second.missing) {
      changes.removed.push_back(folder->first);
      folder = folders_.erase(folder);
    } else {
      folder->second.missing = gone;
      ++folder;
    }
  }
  return changes;
}

void RepositoryWatch::Acted(const std::string& name, ServiceStamp stamp) {
  folders_[name].acted = std::move(stamp);
}

}  // namespace xcloud
