// RepositoryCheck: everything that is wrong in a model repository, at once, without a server: for
// `xcloud model check`.
//
// Reads every file that would be loaded (checksums); loads networks only when asked to. Takes
// seconds. Any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"

namespace xcloud {

struct RepositoryFinding {
  bool wrong =
      true;          // else worth knowing: weights that are not installed, a folder that is skipped
  std::string text;  // "imagenet/2/model.pt: ..."
};

struct RepositoryReport {
  std::size_t services = 0;
  std::size_t versions = 0;
  std::vector<RepositoryFinding> findings;  // by service
  std::size_t wrong() const;
};

struct RepositoryCheckOptions {
  bool load =
      false;  // each version's network, on one CPU lane: does it run, does it fit the labels
  std::function<void(const std::string&)> on_version;  // "imagenet/2", before it is looked at
};

// `folder`: a repository, or one model's folder. NotFound when it cannot be read.
Result<RepositoryReport> CheckRepository(const std::filesystem::path& folder,
                                         const RepositoryCheckOptions& options);

}  // namespace xcloud
