#include "storage/open_call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <SQLiteCpp/Database.h>

#include "storage/async_call_log.h"
#include "storage/sqlite_call_store.h"
#include "tests/storage/scratch_folder.h"
#include "tests/support/fake_clock.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

CallRecord Row(const std::string& id) {
  CallRecord record;
  record.request_id = id;
  return record;
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class OpenCallLogTest : public testing::Test {
 protected:
  Result<std::unique_ptr<CallLog>> Open(const std::string& url) {
    StorageConfig config;
    config.url = url;
    return OpenCallLog(config, clock_, metrics_);
  }
  Status Refusal(const std::string& url) { return Open(url).status(); }
  static std::int64_t CountRows(const std::string& path) {
    SQLite::Database database(path, SQLite::OPEN_READWRITE);
    return database.execAndGet("SELECT count(*) FROM api_calls").getInt64();
  }
  std::uint64_t Rows(const std::string& outcome) {
    return metrics_.GetCounter("xcloud_call_log_rows_total", "", {{"outcome", outcome}}).value();
  }

  const ScratchFolder folder_;
  FakeClock clock_;
  MetricsRegistry metrics_;
};

TEST_F(OpenCallLogTest, MakesTheFileWithItsFoldersAndStoresTheRows) {
  const std::string path = folder_.File("a/b/calls.db");
  {
    const auto log = Open("sqlite:" + path);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    (*log)->Append(Row("one"));
    (*log)->Append(Row("two"));
    EXPECT_EQ((*log)->counters().appended, 2U);
  }
  EXPECT_EQ(CountRows(path), 2);
}

TEST_F(OpenCallLogTest, ALogInMemoryNeedsNoFile) {
  {
    const auto log = Open("sqlite::memory:");
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    (*log)->Append(Row("one"));
  }
  EXPECT_EQ(Rows("committed"), 1U);
  EXPECT_FALSE(std::filesystem::exists(":memory:"));
}

TEST_F(OpenCallLogTest, MysqlIsRefusedAsNotThereYet) {
  const Status status = Refusal("mysql://user@host/xcloud");
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("MySQL"));
}

TEST_F(OpenCallLogTest, AnyOtherUrlIsRefusedNamingTheKey) {
  for (const char* url :
       {"", "calls.db", "postgres:x", "sqlite", "sqlite:", "sqlite:///calls.db"}) {
    const Status status = Refusal(url);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), HasSubstr("[storage] url '" + std::string(url) + "'"));
    EXPECT_THAT(status.message(), HasSubstr("sqlite:PATH"));
  }
}

TEST_F(OpenCallLogTest, AFileThatIsNoDatabaseIsRefusedUnchanged) {
  const std::string path = folder_.File("notes.txt");
  const std::string text(5000, 'x');
  std::ofstream(path) << text;
  const Status status = Refusal("sqlite:" + path);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(path));
  EXPECT_THAT(status.message(), HasSubstr("not a database"));
  EXPECT_EQ(ReadAll(path), text);
}

TEST_F(OpenCallLogTest, ANewerSchemaIsRefusedAndTheFileIsUnchanged) {
  const std::string path = folder_.File("newer.db");
  SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE api_calls (other); PRAGMA user_version = 99");
  const std::string before = ReadAll(path);
  const Status status = Refusal("sqlite:" + path);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr(path));
  EXPECT_THAT(status.message(), HasSubstr("version 99"));
  EXPECT_EQ(ReadAll(path), before);
}

TEST_F(OpenCallLogTest, AnApiCallsTableOfAnotherProgramIsRefusedUnchanged) {
  const std::string path = folder_.File("other.db");
  for (const char* version : {"0", "1"}) {
    SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE IF NOT EXISTS api_calls (other); PRAGMA user_version = " +
              std::string(version));
    const std::string before = ReadAll(path);
    const Status status = Refusal("sqlite:" + path);
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << version;
    EXPECT_THAT(status.message(), HasSubstr("api_calls")) << version;
    EXPECT_EQ(ReadAll(path), before) << version;
  }
}

TEST_F(OpenCallLogTest, APlaceThatCannotHoldAFileIsRefusedNamingIt) {
  EXPECT_THAT(Refusal("sqlite:" + folder_.File(".")).message(), HasSubstr(folder_.File(".")));
  std::ofstream(folder_.File("plain")) << "x";
  const Status status = Refusal("sqlite:" + folder_.File("plain/calls.db"));
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("cannot make the folder '" + folder_.File("plain")));
}

TEST_F(OpenCallLogTest, AFileThatAnotherConnectionWritesToStillOpens) {
  const std::string path = folder_.File("calls.db");
  ASSERT_TRUE(Open("sqlite:" + path).ok());
  SQLite::Database other(path, SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_TRUE(Open("sqlite:" + path).ok());
}

// The queue on the real store, from here on.
class CallLogOnSqliteTest : public OpenCallLogTest {
 protected:
  std::unique_ptr<AsyncCallLog> Start(const AsyncCallLogOptions& options) {
    auto store = SqliteCallStore::Open(path_, {.busy_timeout = milliseconds(0)});
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    return std::make_unique<AsyncCallLog>(*std::move(store), options, clock_, metrics_);
  }
  void AppendFromThreads(CallLog& log, int threads, int rows) {
    std::vector<std::thread> producers;
    for (int t = 0; t < threads; ++t) {
      producers.emplace_back([&log, t, rows] {
        for (int i = 0; i < rows; ++i) log.Append(Row(std::to_string(t) + "/" + std::to_string(i)));
      });
    }
    for (std::thread& producer : producers) producer.join();
  }

  const std::string path_ = folder_.File("calls.db");
};

TEST_F(CallLogOnSqliteTest, ALockedDatabaseLosesNoRow) {
  AsyncCallLogOptions options;
  options.commit_rows = 1;
  auto log = Start(options);
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  for (const char* id : {"a", "b", "c"}) log->Append(Row(id));
  clock_.WaitForSleepers(1, clock_.Now() + options.first_retry_delay);
  EXPECT_EQ(log->counters().committed, 0U);
  other.exec("ROLLBACK");
  clock_.Advance(options.first_retry_delay);
  log.reset();
  EXPECT_GE(metrics_.GetCounter("xcloud_call_log_commit_failures_total", "").value(), 1U);
  EXPECT_EQ(Rows("committed"), 3U);
  EXPECT_EQ(Rows("dropped"), 0U);
  EXPECT_EQ(CountRows(path_), 3);
}

TEST_F(CallLogOnSqliteTest, ManyThreadsAppendAndEachRowIsInTheTable) {
  auto log = Start({});
  AppendFromThreads(*log, 8, 2000);
  EXPECT_EQ(log->counters().appended, 16'000U);
  log.reset();
  EXPECT_EQ(Rows("appended"), 16'000U);
  EXPECT_EQ(Rows("committed"), 16'000U);
  EXPECT_EQ(Rows("dropped"), 0U);
  EXPECT_EQ(CountRows(path_), 16'000);
  // Full groups of 512 and the rest.
  EXPECT_EQ(metrics_.GetCounter("xcloud_call_log_commits_total", "").value(), 16'000U / 512 + 1);
}

TEST_F(CallLogOnSqliteTest, ManyThreadsOnASmallQueueLoseOnlyWhatIsCounted) {
  AsyncCallLogOptions options;
  options.queue_capacity = 64;
  options.commit_rows = 16;
  auto log = Start(options);
  AppendFromThreads(*log, 8, 2000);
  log.reset();
  EXPECT_EQ(Rows("appended") + Rows("dropped"), 16'000U);
  EXPECT_EQ(Rows("committed"), Rows("appended"));
  EXPECT_EQ(CountRows(path_), static_cast<std::int64_t>(Rows("appended")));
}

}  // namespace
}  // namespace xcloud
