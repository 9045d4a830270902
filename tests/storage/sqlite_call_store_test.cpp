#include "storage/sqlite_call_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include "tests/storage/scratch_folder.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

CallRecord Row(const std::string& id, const std::string& api_name = "cv/x") {
  CallRecord record;
  record.request_id = id;
  record.api_name = api_name;
  return record;
}

class SqliteCallStoreTest : public testing::Test {
 protected:
  std::unique_ptr<SqliteCallStore> Open() {
    auto store = SqliteCallStore::Open(path_, {.busy_timeout = milliseconds(0)});
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    return *std::move(store);
  }
  // Another program's view of the file.
  SQLite::Database Other() const { return {path_, SQLite::OPEN_READWRITE}; }

  std::vector<std::string> Ids() const {
    SQLite::Database other = Other();
    SQLite::Statement query(other, "SELECT request_id FROM api_calls ORDER BY rowid");
    std::vector<std::string> ids;
    while (query.executeStep()) ids.push_back(query.getColumn(0).getString());
    return ids;
  }

  const ScratchFolder folder_;
  const std::string path_ = folder_.File("calls.db");
};

TEST_F(SqliteCallStoreTest, EveryFieldComesBackAsItWasCommitted) {
  CallRecord row;
  row.request_id = "id-1";
  row.username = "z\xC3\xBC";
  row.api_name = "cv/imagenet";
  row.model = "imagenet";
  row.version = "3";
  row.called_at = WallTime(std::chrono::microseconds(1'700'000'000'123'999));
  row.elapse_ms = 12.5;
  row.decode_ms = 1.25;
  row.queue_ms = 2.75;
  row.infer_ms = 8.125;
  row.terminal = TerminalType::kTool;
  row.http_status = 429;
  row.code = 3;
  row.trace_id = "0af7651916cd43dd8448eb211c80319c";
  ASSERT_EQ(*Open()->Commit({{row}}), 1U);

  SQLite::Database other = Other();
  SQLite::Statement query(other, "SELECT * FROM api_calls");
  ASSERT_TRUE(query.executeStep());
  EXPECT_EQ(query.getColumnCount(), 14);
  EXPECT_EQ(query.getColumn("request_id").getString(), "id-1");
  EXPECT_EQ(query.getColumn("username").getString(), "z\xC3\xBC");
  EXPECT_EQ(query.getColumn("api_name").getString(), "cv/imagenet");
  EXPECT_EQ(query.getColumn("model").getString(), "imagenet");
  EXPECT_EQ(query.getColumn("version").getString(), "3");
  EXPECT_EQ(query.getColumn("called_at_ms").getInt64(), 1'700'000'000'123);
  EXPECT_EQ(query.getColumn("elapse_ms").getDouble(), 12.5);
  EXPECT_EQ(query.getColumn("decode_ms").getDouble(), 1.25);
  EXPECT_EQ(query.getColumn("queue_ms").getDouble(), 2.75);
  EXPECT_EQ(query.getColumn("infer_ms").getDouble(), 8.125);
  EXPECT_EQ(query.getColumn("terminal_type").getInt(), 3);
  EXPECT_EQ(query.getColumn("http_status").getInt(), 429);
  EXPECT_EQ(query.getColumn("code").getInt(), 3);
  EXPECT_EQ(query.getColumn("trace_id").getString(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_FALSE(query.executeStep());
}

TEST_F(SqliteCallStoreTest, EmptyTextIsStoredAsEmptyAndNotAsNull) {
  ASSERT_EQ(*Open()->Commit({{CallRecord{}}}), 1U);
  SQLite::Database other = Other();
  EXPECT_EQ(other
                .execAndGet("SELECT count(*) FROM api_calls WHERE username = '' AND trace_id = ''"
                            " AND model = '' AND called_at_ms = 0")
                .getInt(),
            1);
}

TEST_F(SqliteCallStoreTest, OddValuesNeverFailTheirGroup) {
  CallRecord odd = Row(std::string("a\0b", 3));
  odd.username = "'); DROP TABLE api_calls; --";
  odd.model = "\xFF\xFE not UTF-8";
  odd.elapse_ms = std::nan("");
  odd.queue_ms = std::numeric_limits<double>::infinity();
  odd.called_at = WallTime::min();
  const std::vector<CallRecord> rows = {Row("first"), odd, Row("last")};
  ASSERT_EQ(*Open()->Commit(rows), 3U);
  EXPECT_THAT(Ids(), ElementsAre("first", std::string("a\0b", 3), "last"));
  SQLite::Database other = Other();
  SQLite::Statement query(other, "SELECT elapse_ms, username FROM api_calls WHERE rowid = 2");
  ASSERT_TRUE(query.executeStep());
  EXPECT_TRUE(query.getColumn(0).isNull());
  EXPECT_EQ(query.getColumn(1).getString(), odd.username);
}

TEST_F(SqliteCallStoreTest, TheFirstRowOfAnIdWinsAndTheRestOfTheGroupIsStored) {
  const auto store = Open();
  ASSERT_EQ(*store->Commit({{Row("a", "cv/first")}}), 1U);
  const std::vector<CallRecord> rows = {Row("b"), Row("a", "cv/second"), Row("c"), Row("c")};
  EXPECT_EQ(*store->Commit(rows), 2U);
  EXPECT_THAT(Ids(), ElementsAre("a", "b", "c"));
  SQLite::Database other = Other();
  EXPECT_EQ(other.execAndGet("SELECT api_name FROM api_calls WHERE request_id = 'a'").getString(),
            "cv/first");
}

TEST_F(SqliteCallStoreTest, AFailureAtAnyRowLeavesNoneOfTheGroupAndTheStoreUsable) {
  const auto store = Open();
  const std::vector<CallRecord> rows = {Row("r0"), Row("r1"), Row("r2"), Row("r3")};
  for (const CallRecord& culprit : rows) {
    SQLite::Database other = Other();
    other.exec("CREATE TRIGGER disk BEFORE INSERT ON api_calls WHEN NEW.request_id = '" +
               culprit.request_id + "' BEGIN SELECT RAISE(FAIL, 'disk on fire'); END");
    const Result<std::size_t> failed = store->Commit(rows);
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.status().message(), HasSubstr("disk on fire"));
    EXPECT_THAT(failed.status().message(), HasSubstr(path_));
    EXPECT_THAT(Ids(), ElementsAre()) << culprit.request_id;
    other.exec("DROP TRIGGER disk");
  }
  EXPECT_EQ(*store->Commit(rows), 4U);
  EXPECT_THAT(Ids(), ElementsAre("r0", "r1", "r2", "r3"));
}

TEST_F(SqliteCallStoreTest, ALockOfAnotherConnectionFailsTheCommitUntilItIsGone) {
  const auto store = Open();
  SQLite::Database other = Other();
  other.exec("BEGIN IMMEDIATE");
  const Result<std::size_t> locked = store->Commit({{Row("a")}});
  ASSERT_FALSE(locked.ok());
  EXPECT_EQ(locked.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(locked.status().message(), HasSubstr("locked"));
  other.exec("ROLLBACK");
  EXPECT_EQ(*store->Commit({{Row("a")}}), 1U);
  EXPECT_THAT(Ids(), ElementsAre("a"));
}

TEST_F(SqliteCallStoreTest, ReadersDoNotHoldUpACommit) {
  const auto store = Open();
  ASSERT_EQ(*store->Commit({{Row("a")}}), 1U);
  SQLite::Database other = Other();
  SQLite::Statement reader(other, "SELECT request_id FROM api_calls");
  ASSERT_TRUE(reader.executeStep());  // a read transaction is open
  EXPECT_EQ(*store->Commit({{Row("b")}}), 1U);
}

TEST_F(SqliteCallStoreTest, ACommitSurvivesReopening) {
  ASSERT_EQ(*Open()->Commit({{Row("a")}}), 1U);
  ASSERT_EQ(*Open()->Commit({{Row("b")}}), 1U);
  EXPECT_THAT(Ids(), ElementsAre("a", "b"));
}

TEST_F(SqliteCallStoreTest, TheFileIsInWalMode) {
  const auto store = Open();
  SQLite::Database other = Other();
  EXPECT_EQ(other.execAndGet("PRAGMA journal_mode").getString(), "wal");
}

TEST_F(SqliteCallStoreTest, AnEmptyGroupIsNoError) {
  EXPECT_EQ(*Open()->Commit({}), 0U);
}

}  // namespace
}  // namespace xcloud
