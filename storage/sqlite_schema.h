// The SQLite schema as an ordered list of steps, and the one function that applies them.
//
// PRAGMA user_version holds the version of the last step applied; 0 is an empty database. Steps
// are applied in one transaction that starts by taking the write lock, so two processes that open
// the same new file do not both migrate it, and a step that fails leaves the file as it was.
// A released step is never edited: a change is a new step at the end.
// Threads: any, one connection at a time.
#pragma once

#include <span>
#include <string>

#include "core/status.h"

namespace SQLite {
class Database;
}  // namespace SQLite

namespace xcloud {

struct Migration {
  int version;      // 1, 2, 3, ... in order
  const char* sql;  // one or more statements
};

// All steps; the last one's version is what this binary reads and writes.
std::span<const Migration> SchemaMigrations();

// Applies the steps that the database lacks. Unsupported when it is newer than the last of them:
// the rows of a newer binary are not to be guessed at. Nothing is written in that case.
// Throws SQLite::Exception when SQLite does: the caller is the room's door.
// REQUIRES: versions 1, 2, 3, ...
Status MigrateSchema(SQLite::Database& database, std::span<const Migration> migrations);

}  // namespace xcloud
