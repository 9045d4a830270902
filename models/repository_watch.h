// RepositoryWatch: which folders of a repository have changed since they were last acted upon.
//
// A folder that is being copied must not be loaded, so a change counts only once it has settled:
// two looks in a row found the same files with the same sizes, times and inodes. A copy that stalls
// for longer than the time between two looks is taken for complete; then SHA256SUMS or
// manifest.json refuses it where there is one, a cut TorchScript file does not load, and when the
// copy goes on the folder has changed again. A folder that is gone must be gone in two looks, so
// that one that is swapped for another is not taken out.
//
// Not thread-safe: the loader's. Look does some system calls a file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/repository_files.h"

namespace xcloud {

class RepositoryWatch {
 public:
  explicit RepositoryWatch(std::filesystem::path root) : root_(std::move(root)) {}

  struct Changes {
    std::vector<std::string> changed;  // new or different, settled; by name
    std::vector<std::string> removed;
  };

  // One look; what it tells counts as acted upon. NotFound when ROOT cannot be read: nothing is
  // removed then.
  Result<Changes> Look();

  // `stamp` of the service's folder is being acted upon for another reason: no change to tell.
  void Acted(const std::string& name, ServiceStamp stamp);

 private:
  struct Folder {
    ServiceStamp acted;
    ServiceStamp seen;  // in the look before
    bool missing = false;
  };
  const std::filesystem::path root_;
  std::map<std::string, Folder> folders_;
};

}  // namespace xcloud
