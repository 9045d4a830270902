// ProfileStore: learned batch times on disk, so that a restart does not begin from warm-up's few
// runs. One text file a model and version, in one folder:
//
//   xcloud-profile FORMAT MODEL VERSION ENTRIES
//   SIZE ITEMS MEAN_NS DEVIATION_NS DEVICE        (ENTRIES lines; see ProfileEntry)
//
// Any thread, several at once. Does file I/O and fsync: never call it with a scheduler lock held
// or on the scheduler's thread.
//
// A file is replaced whole (temporary file, fsync, rename), so a crash leaves the old one or the
// new one. A profile is only a better first guess: a file that is damaged, foreign or of another
// format is ignored with one warning, and the next Save replaces it.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "core/status.h"
#include "scheduler/profile.h"

namespace xcloud {

class ProfileStore {
 public:
  // [scheduler] profile_folder; made by the first Save. Empty = nothing is kept.
  explicit ProfileStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool enabled() const { return !folder_.empty(); }

  // Keeps `entries` in place of what was kept of that version. InvalidArgument when the model's
  // name is not [a-z0-9_-]+, the version is not digits, or an entry cannot be written down;
  // Internal, naming the file, when the disk does not take it. OK when nothing is kept.
  Status Save(std::string_view model, std::string_view version,
              const std::vector<ProfileEntry>& entries) XC_EXCLUDES(mutex_);

  // What was kept of that version; empty when there is nothing that can be used.
  std::vector<ProfileEntry> Load(std::string_view model, std::string_view version) const;

 private:
  std::filesystem::path FileOf(std::string_view model, std::string_view version) const;

  const std::filesystem::path folder_;
  Mutex mutex_;  // one Save at a time: they share the temporary file's name
};

}  // namespace xcloud
