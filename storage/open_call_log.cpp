#include "storage/open_call_log.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "storage/async_call_log.h"
#include "storage/sqlite_call_store.h"

namespace xcloud {
namespace {

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::string_view kMysql = "mysql:";

Status WrongUrl(const std::string& url, std::string_view why) {
  return Status::InvalidArgument("[storage] url '" + url + "': " + std::string(why));
}

// The path of a sqlite: URL.
Result<std::string> SqlitePath(const std::string& url) {
  if (url.starts_with(kMysql)) {
    return Status::Unsupported(
        "[storage] url: MySQL is not in this version of xcloud yet; use sqlite:PATH");
  }
  if (!url.starts_with(kSqlite)) return WrongUrl(url, "must be sqlite:PATH");
  std::string path = url.substr(kSqlite.size());
  if (path.empty()) return WrongUrl(url, "names no file; write sqlite:PATH");
  if (path.starts_with("//")) return WrongUrl(url, "write sqlite:PATH, without '//' before PATH");
  return path;
}

Status MakeParentFolder(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path folder = file.parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (!error) return Status::Ok();
  return Status::Unavailable("call log '" + file.string() + "': cannot make the folder '" +
                             folder.string() + "': " + error.message());
}

}  // namespace

Status CheckStorageUrl(const StorageConfig& config) {
  return SqlitePath(config.url).status();
}

Result<std::unique_ptr<CallLog>> OpenCallLog(const StorageConfig& config, Clock& clock,
                                             MetricsRegistry& metrics) {
  const Result<std::string> path = SqlitePath(config.url);
  if (!path.ok()) return path.status();
  if (Status status = MakeParentFolder(*path); !status.ok()) return status;
  Result<std::unique_ptr<SqliteCallStore>> store = SqliteCallStore::Open(*path);
  if (!store.ok()) return store.status();
  AsyncCallLogOptions options;
  options.queue_capacity = static_cast<std::size_t>(config.queue_capacity);
  options.commit_rows = static_cast<std::size_t>(config.commit_rows);
  options.commit_interval = std::chrono::milliseconds(config.commit_interval_ms);
  return std::unique_ptr<CallLog>(
      std::make_unique<AsyncCallLog>(*std::move(store), options, clock, metrics));
}

}  // namespace xcloud
