// SqliteCallStore: the table api_calls in one SQLite file, a transaction a group.
//
// Threads: one at a time; opened by one thread and then used by another is fine.
// Durability: WAL with synchronous=NORMAL. A commit is not flushed to the disk by itself, so it
// costs microseconds. A crash or kill of this process loses no committed row; a crash of the
// operating system or a power cut may lose the last commits, never older rows, never the file's
// consistency. For a call log that is the right trade: FULL would cost an fsync a group.
// Memory and disk: up to 16 MiB of page cache; the log beside the file (PATH-wal) grows to about
// 16 MB before it is folded back, more while another process keeps a read transaction open.
// Concurrency: any number of other processes may read meanwhile. One that writes makes Commit wait
// up to busy_timeout and then fail; the caller tries again.
// Data: UTC milliseconds, rounded down. A time that is not finite is stored as NULL. Text is stored
// byte for byte. A used request_id is passed over (CallStore, invariant 3).
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "storage/call_store.h"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace xcloud {

struct SqliteOptions {
  // How long a statement waits inside SQLite for another connection's lock. 0 = fail at once.
  std::chrono::milliseconds busy_timeout{500};
};

class SqliteCallStore final : public CallStore {
 public:
  // Opens `path`, made when missing (its folder must exist), and brings its schema up to date.
  // ":memory:" is a store that lives as long as this object.
  // Unavailable when it cannot be opened or is not a SQLite database, Unsupported when its schema
  // is newer than this binary's; both name the file and the cause, and leave the file as it was.
  static Result<std::unique_ptr<SqliteCallStore>> Open(const std::string& path,
                                                       const SqliteOptions& options = {});
  ~SqliteCallStore() override;

  // Unavailable when SQLite refuses: locked, disk full, I/O error.
  Result<std::size_t> Commit(std::span<const CallRecord> rows) override;

 private:
  SqliteCallStore(std::string path, std::unique_ptr<SQLite::Database> database);
  std::size_t Insert(const CallRecord& row);

  const std::string path_;
  const std::unique_ptr<SQLite::Database> database_;
  const std::unique_ptr<SQLite::Statement> insert_;  // of database_; goes first
};

}  // namespace xcloud
