#include "storage/sqlite_call_store.h"

#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "storage/sqlite_schema.h"

namespace xcloud {
namespace {

constexpr std::string_view kMemory = ":memory:";

// DO NOTHING for the id alone: OR IGNORE would hide every other broken constraint too.
constexpr const char* kInsert =
    "INSERT INTO api_calls (request_id, username, api_name, model, version, called_at_ms,"
    " elapse_ms, decode_ms, queue_ms, infer_ms, terminal_type, http_status, code, trace_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO NOTHING";

std::string About(const std::string& path, std::string_view cause) {
  return "call log '" + path + "': " + std::string(cause);
}

// After the schema is known to be ours: the journal mode is stored in the file.
Status UseWriteAheadLog(SQLite::Database& database, const std::string& path) {
  const std::string mode = database.execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal" && path != kMemory) {
    return Status::Unavailable("its file system cannot hold a write-ahead log (journal mode is '" +
                               mode + "')");
  }
  // Ids are random, so a group touches many pages of their index: with SQLite's defaults (2 MB of
  // cache, a checkpoint each 1000 pages) the same pages are written again and again. Measured over
  // 200,000 rows in groups of 512: 24 us of CPU a row by default, 18 us so.
  database.exec(
      "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000");
  return Status::Ok();
}

std::int64_t UtcMilliseconds(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<SqliteCallStore>> SqliteCallStore::Open(const std::string& path,
                                                               const SqliteOptions& options) {
  try {
    // NOMUTEX: one thread at a time is the contract, so SQLite need not lock for us.
    const int flags = SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX;
    auto database = std::make_unique<SQLite::Database>(
        path, flags, static_cast<int>(options.busy_timeout.count()));
    Status status = MigrateSchema(*database, SchemaMigrations());
    if (!status.ok()) return Status(status.code(), About(path, status.message()));
    // Prepares the statement, which fails on a table that is not ours.
    std::unique_ptr<SqliteCallStore> store(new SqliteCallStore(path, std::move(database)));
    status = UseWriteAheadLog(*store->database_, path);
    if (!status.ok()) return Status(status.code(), About(path, status.message()));
    return store;
  } catch (const std::exception& error) {
    return Status::Unavailable(About(path, error.what()));
  }
}

SqliteCallStore::SqliteCallStore(std::string path, std::unique_ptr<SQLite::Database> database)
    : path_(std::move(path)),
      database_(std::move(database)),
      insert_(std::make_unique<SQLite::Statement>(*database_, kInsert)) {}

SqliteCallStore::~SqliteCallStore() = default;

Result<std::size_t> SqliteCallStore::Commit(std::span<const CallRecord> rows) {
  try {
    // IMMEDIATE: a lock of another connection shows before any work is done.
    SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    std::size_t stored = 0;
    for (const CallRecord& row : rows) stored += Insert(row);
    transaction.commit();
    return stored;
  } catch (const std::exception& error) {
    return Status::Unavailable(About(path_, error.what()));
  }
}

// Returns 1, or 0 when the id is used. The statement's views of `row` end before it returns, on
// every path.
std::size_t SqliteCallStore::Insert(const CallRecord& row) {
  struct Cleanup {
    SQLite::Statement& statement;
    ~Cleanup() {
      statement.tryReset();
      try {
        statement.clearBindings();
      } catch (const std::exception&) {
        // sqlite3_clear_bindings always succeeds; the wrapper is declared to throw all the same.
      }
    }
  };
  SQLite::Statement& insert = *insert_;
  const Cleanup cleanup{insert};
  int column = 0;
  insert.bindNoCopy(++column, row.request_id);
  insert.bindNoCopy(++column, row.username);
  insert.bindNoCopy(++column, row.api_name);
  insert.bindNoCopy(++column, row.model);
  insert.bindNoCopy(++column, row.version);
  insert.bind(++column, UtcMilliseconds(row.called_at));
  insert.bind(++column, row.elapse_ms);
  insert.bind(++column, row.decode_ms);
  insert.bind(++column, row.queue_ms);
  insert.bind(++column, row.infer_ms);
  insert.bind(++column, static_cast<int>(row.terminal));
  insert.bind(++column, row.http_status);
  insert.bind(++column, row.code);
  insert.bindNoCopy(++column, row.trace_id);
  return static_cast<std::size_t>(insert.exec());
}

}  // namespace xcloud
