#include "storage/sqlite_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

namespace xcloud {
namespace {

using testing::HasSubstr;

class SqliteSchemaTest : public testing::Test {
 protected:
  int Version() { return database_.execAndGet("PRAGMA user_version").getInt(); }
  std::string Plan(const std::string& query) {
    SQLite::Statement plan(database_, "EXPLAIN QUERY PLAN " + query);
    std::string text;
    while (plan.executeStep()) text += plan.getColumn("detail").getString() + "\n";
    return text;
  }

  SQLite::Database database_{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
};

const Migration kFirst{1, "CREATE TABLE t (a)"};
const Migration kSecond{2, "ALTER TABLE t ADD COLUMN b DEFAULT 7; CREATE INDEX t_b ON t (b)"};

TEST_F(SqliteSchemaTest, AnEmptyDatabaseGetsEveryStep) {
  ASSERT_TRUE(MigrateSchema(database_, SchemaMigrations()).ok());
  EXPECT_EQ(Version(), SchemaMigrations().back().version);
  EXPECT_TRUE(database_.tableExists("api_calls"));
}

TEST_F(SqliteSchemaTest, AnOlderDatabaseGetsOnlyTheNewStepsAndKeepsItsRows) {
  ASSERT_TRUE(MigrateSchema(database_, std::vector{kFirst}).ok());
  database_.exec("INSERT INTO t VALUES (1)");
  ASSERT_TRUE(MigrateSchema(database_, std::vector{kFirst, kSecond}).ok());
  EXPECT_EQ(Version(), 2);
  EXPECT_EQ(database_.execAndGet("SELECT a + b FROM t").getInt(), 8);
}

TEST_F(SqliteSchemaTest, ASecondRunChangesNothing) {
  ASSERT_TRUE(MigrateSchema(database_, SchemaMigrations()).ok());
  ASSERT_TRUE(MigrateSchema(database_, SchemaMigrations()).ok());
  EXPECT_EQ(Version(), SchemaMigrations().back().version);
}

TEST_F(SqliteSchemaTest, ANewerDatabaseIsRefusedUnchanged) {
  ASSERT_TRUE(MigrateSchema(database_, std::vector{kFirst, kSecond}).ok());
  const Status status = MigrateSchema(database_, std::vector{kFirst});
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("version 2"));
  EXPECT_EQ(Version(), 2);
}

TEST_F(SqliteSchemaTest, AFailingStepLeavesTheDatabaseAsItWas) {
  ASSERT_TRUE(MigrateSchema(database_, std::vector{kFirst}).ok());
  const Migration broken{3, "CREATE TABLE u (a); CREATE TABLE t (a)"};
  EXPECT_THROW((void)MigrateSchema(database_, std::vector{kFirst, kSecond, broken}),
               SQLite::Exception);
  EXPECT_EQ(Version(), 1);
  EXPECT_FALSE(database_.tableExists("u"));
  EXPECT_EQ(database_.execAndGet("SELECT count(*) FROM pragma_table_info('t')").getInt(), 1);
}

TEST_F(SqliteSchemaTest, TheTwoUsualQuestionsAreAnsweredByAnIndex) {
  ASSERT_TRUE(MigrateSchema(database_, SchemaMigrations()).ok());
  EXPECT_THAT(Plan("SELECT * FROM api_calls WHERE api_name = 'cv/x' AND called_at_ms > 5"),
              HasSubstr("api_calls_by_api (api_name=? AND called_at_ms>?)"));
  EXPECT_THAT(Plan("SELECT * FROM api_calls WHERE username = 'ann' ORDER BY called_at_ms"),
              HasSubstr("api_calls_by_user (username=?)"));
}

}  // namespace
}  // namespace xcloud
