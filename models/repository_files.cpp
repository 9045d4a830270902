#include "models/repository_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "models/optimize/report.h"
#include "models/version_policy.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxFiles = 4096;

std::optional<FileStamp> StampFile(const fs::path& file, std::string name) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  constexpr std::int64_t kSecond = 1'000'000'000;
  return FileStamp{std::move(name), static_cast<std::uint64_t>(info.st_size),
                   static_cast<std::int64_t>(info.st_mtim.tv_sec) * kSecond + info.st_mtim.tv_nsec,
                   static_cast<std::uint64_t>(info.st_ino)};
}

// What `xcloud model optimize` is still making in VERSION/optimized/; it is renamed when it is
// done.
bool IsUnfinished(const std::string& prefix, const std::string& name) {
  return name.starts_with('.') && prefix == std::string(kOptimizedFolder) + "/";
}

void AddFiles(const fs::path& folder, const std::string& prefix, int depth, FolderStamp& stamp) {
  std::error_code error;
  for (fs::directory_iterator item(folder, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    if (stamp.size() >= kMaxFiles) return;
    const std::string own = item->path().filename().string();
    if (IsUnfinished(prefix, own)) continue;
    const std::string name = prefix + own;
    std::error_code ignored;
    if (item->is_directory(ignored)) {
      if (depth < kMaxDepth) AddFiles(item->path(), name + "/", depth + 1, stamp);
    } else if (auto file = StampFile(item->path(), name)) {
      stamp.push_back(*std::move(file));
    }
  }
}

}  // namespace

FolderStamp StampOf(const fs::path& folder) {
  FolderStamp stamp;
  AddFiles(folder, "", 1, stamp);
  std::sort(stamp.begin(), stamp.end(),
            [](const FileStamp& a, const FileStamp& b) { return a.name < b.name; });
  return stamp;
}

std::uint64_t BytesToLoad(const fs::path& version) {
  std::uint64_t bytes = 0;
  for (const FileStamp& file : StampOf(version)) {
    if (!file.name.starts_with(std::string(kOptimizedFolder) + "/")) bytes += file.size;
  }
  return bytes;
}

ServiceStamp StampOfService(const fs::path& folder) {
  ServiceStamp stamp;
  for (const char* name : {"labels.txt", "model.toml"}) {
    if (auto file = StampFile(folder / name, name)) stamp.definition.push_back(*std::move(file));
  }
  std::error_code error;
  for (fs::directory_iterator item(folder, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    const std::int64_t number = VersionNumber(item->path().filename().string());
    std::error_code ignored;
    if (number > 0 && item->is_directory(ignored)) stamp.versions[number] = StampOf(item->path());
  }
  return stamp;
}

Status CheckInside(const fs::path& root, const fs::path& path, const std::string& shown) {
  std::error_code error;
  if (fs::symlink_status(path, error).type() == fs::file_type::not_found) return Status::Ok();
  const fs::path real_root = fs::canonical(root, error);
  const fs::path real = error ? fs::path() : fs::canonical(path, error);
  if (error) return Status::InvalidArgument(shown + ": a symbolic link that leads nowhere");
  const auto mismatch = std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
  if (mismatch.first == real_root.end()) return Status::Ok();
  return Status::InvalidArgument(shown + ": a symbolic link that leads out of the repository");
}

}  // namespace xcloud
