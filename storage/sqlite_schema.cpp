#include "storage/sqlite_schema.h"

#include <array>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>

namespace xcloud {
namespace {

// Times are REAL and may be NULL: SQLite stores a NaN as NULL, and no row may fail its group.
constexpr std::array<Migration, 1> kMigrations = {{
    {1, R"sql(
CREATE TABLE api_calls (
  request_id    TEXT    NOT NULL PRIMARY KEY,
  username      TEXT    NOT NULL,  -- '' = anonymous
  api_name      TEXT    NOT NULL,  -- 'cv/imagenet'
  model         TEXT    NOT NULL,
  version       TEXT    NOT NULL,
  called_at_ms  INTEGER NOT NULL,  -- UTC, milliseconds since 1970
  elapse_ms     REAL,              -- first byte to answer written
  decode_ms     REAL,
  queue_ms      REAL,
  infer_ms      REAL,
  terminal_type INTEGER NOT NULL,  -- 0 unknown, 1 browser, 2 mobile, 3 tool, 4 library
  http_status   INTEGER NOT NULL,
  code          INTEGER NOT NULL,  -- the body's code, 0 = success
  trace_id      TEXT    NOT NULL   -- '' = none
);
CREATE INDEX api_calls_by_api ON api_calls (api_name, called_at_ms);
CREATE INDEX api_calls_by_user ON api_calls (username, called_at_ms);
)sql"},
}};

int UserVersion(SQLite::Database& database) {
  return database.execAndGet("PRAGMA user_version").getInt();
}

}  // namespace

std::span<const Migration> SchemaMigrations() {
  return kMigrations;
}

Status MigrateSchema(SQLite::Database& database, std::span<const Migration> migrations) {
  int latest = 0;
  for (const Migration& step : migrations) XC_CHECK(step.version == ++latest);
  // The usual case first: nothing to do needs no lock, so a start is not held up by a writer.
  if (UserVersion(database) == latest) return Status::Ok();
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  const int version = UserVersion(database);
  if (version > latest) {
    return Status::Unsupported(
        "its schema is version " + std::to_string(version) + ", newer than the " +
        std::to_string(latest) +
        " that this xcloud knows; run the newer xcloud or name another file");
  }
  for (const Migration& step : migrations) {
    if (step.version <= version) continue;
    database.exec(step.sql);
    database.exec("PRAGMA user_version = " + std::to_string(step.version));
  }
  transaction.commit();
  return Status::Ok();
}

}  // namespace xcloud
