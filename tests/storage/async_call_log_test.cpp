#include "storage/async_call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/sinks/ostream_sink.h>

#include "core/log.h"
#include "tests/storage/puppet_call_store.h"
#include "tests/support/fake_clock.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

CallRecord Row(const std::string& id) {
  CallRecord record;
  record.request_id = id;
  return record;
}

// "0" ... "<count - 1>"
std::vector<std::string> Ids(int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(std::to_string(i));
  return ids;
}

class AsyncCallLogTest : public testing::Test {
 protected:
  AsyncCallLogTest() {
    options_.queue_capacity = 1000;
    options_.commit_rows = 4;
    options_.commit_interval = milliseconds(50);
    options_.first_retry_delay = milliseconds(10);
    options_.max_retry_delay = milliseconds(40);
    options_.drain_limit = milliseconds(100);
  }

  void Start() {
    log_ = std::make_unique<AsyncCallLog>(std::make_unique<PuppetCallStore>(strings_), options_,
                                          clock_, metrics_);
  }
  // Ids first ... last - 1.
  void AppendRows(int first, int last) {
    for (int i = first; i < last; ++i) log_->Append(Row(std::to_string(i)));
  }
  // Waits until the writer sleeps between two attempts, lets `delay` pass, and waits until the
  // next attempt has begun: the clock is not moved twice for one sleep.
  void PassRetryDelay(Duration delay) {
    clock_.WaitForSleepers(1, clock_.Now() + delay);
    const std::size_t attempts = strings_->attempts().size();
    clock_.Advance(delay);
    strings_->WaitForAttempts(attempts + 1);
  }
  std::uint64_t Rows(const std::string& outcome) {
    return metrics_.GetCounter("xcloud_call_log_rows_total", "", {{"outcome", outcome}}).value();
  }
  std::uint64_t Count(const std::string& name) { return metrics_.GetCounter(name, "").value(); }
  std::int64_t QueueRows() { return metrics_.GetGauge("xcloud_call_log_queue_rows", "").value(); }

  FakeClock clock_;
  MetricsRegistry metrics_;
  std::shared_ptr<PuppetStrings> strings_ = std::make_shared<PuppetStrings>(clock_);
  AsyncCallLogOptions options_;
  std::unique_ptr<AsyncCallLog> log_;
};

TEST_F(AsyncCallLogTest, CommitsAFullGroupWithoutWaitingForTheInterval) {
  Start();
  const TimePoint start = clock_.Now();
  AppendRows(0, 8);
  strings_->WaitForAttempts(2);
  EXPECT_THAT(strings_->attempts(), Each(start));
  log_.reset();
  EXPECT_THAT(strings_->group_sizes(), ElementsAre(4, 4));
}

TEST_F(AsyncCallLogTest, CommitsAPartialGroupOneIntervalAfterItsFirstRow) {
  Start();
  const TimePoint start = clock_.Now();
  AppendRows(0, 1);
  clock_.WaitForSleepers(1, start + milliseconds(50));
  clock_.Advance(milliseconds(49));
  AppendRows(1, 3);
  clock_.WaitForSleepers(1, start + milliseconds(50));
  clock_.Advance(milliseconds(1));
  strings_->WaitForAttempts(1);
  EXPECT_THAT(strings_->attempts(), ElementsAre(start + milliseconds(50)));
  log_.reset();
  EXPECT_THAT(strings_->group_sizes(), ElementsAre(3));
}

TEST_F(AsyncCallLogTest, AZeroIntervalGathersOnlyWhileTheStoreIsBusy) {
  options_.commit_interval = milliseconds(0);
  strings_->Hold();
  Start();
  AppendRows(0, 1);
  strings_->WaitForAttempts(1);
  AppendRows(1, 4);
  strings_->LetGo();
  strings_->WaitForAttempts(2);
  log_.reset();
  EXPECT_THAT(strings_->group_sizes(), ElementsAre(1, 3));
}

TEST_F(AsyncCallLogTest, DestructionCommitsAllThatWaitsInOrderAndInGroups) {
  strings_->Hold();
  Start();
  AppendRows(0, 4);
  strings_->WaitForAttempts(1);
  AppendRows(4, 14);
  EXPECT_EQ(QueueRows(), 14);
  strings_->LetGo();
  log_.reset();
  EXPECT_THAT(strings_->group_sizes(), ElementsAre(4, 4, 4, 2));
  EXPECT_EQ(strings_->ids(), Ids(14));
  EXPECT_EQ(Rows("appended"), 14U);
  EXPECT_EQ(Rows("committed"), 14U);
  EXPECT_EQ(Rows("dropped"), 0U);
  EXPECT_EQ(Count("xcloud_call_log_commits_total"), 4U);
  EXPECT_EQ(QueueRows(), 0);
}

TEST_F(AsyncCallLogTest, AnIdleLogStopsWithoutACommit) {
  Start();
  log_.reset();
  EXPECT_TRUE(strings_->attempts().empty());
}

TEST_F(AsyncCallLogTest, AFailureOfAnyCommitLosesNoRowAndRepeatsNone) {
  for (int nth = 1; nth <= 5; ++nth) {
    strings_ = std::make_shared<PuppetStrings>(clock_);
    strings_->FailWhen([nth](int attempt) { return attempt == nth; });
    Start();
    AppendRows(0, 20);
    strings_->WaitForAttempts(static_cast<std::size_t>(nth));
    PassRetryDelay(milliseconds(10));
    strings_->WaitForAttempts(6);
    log_.reset();
    EXPECT_THAT(strings_->group_sizes(), ElementsAre(4, 4, 4, 4, 4)) << "attempt " << nth;
    EXPECT_EQ(strings_->ids(), Ids(20)) << "attempt " << nth;
  }
  EXPECT_EQ(Count("xcloud_call_log_commit_failures_total"), 5U);
  EXPECT_EQ(Rows("committed"), 100U);
  EXPECT_EQ(Rows("dropped"), 0U);
}

TEST_F(AsyncCallLogTest, RetriesBackOffToTheLongestDelay) {
  strings_->FailWhen([](int attempt) { return attempt <= 5; });
  Start();
  const TimePoint start = clock_.Now();
  AppendRows(0, 4);
  for (const int delay_ms : {10, 20, 40, 40, 40}) PassRetryDelay(milliseconds(delay_ms));
  log_.reset();
  EXPECT_THAT(
      strings_->attempts(),
      ElementsAre(start, start + milliseconds(10), start + milliseconds(30),
                  start + milliseconds(70), start + milliseconds(110), start + milliseconds(150)));
  EXPECT_EQ(strings_->ids(), Ids(4));
}

TEST_F(AsyncCallLogTest, ANewFailureStartsFromTheShortestDelay) {
  strings_->FailWhen([](int attempt) { return attempt <= 2 || attempt == 4; });
  Start();
  AppendRows(0, 8);
  PassRetryDelay(milliseconds(10));
  PassRetryDelay(milliseconds(20));  // the third attempt stores the first group
  strings_->WaitForAttempts(4);
  PassRetryDelay(milliseconds(10));
  log_.reset();
  EXPECT_EQ(strings_->ids(), Ids(8));
}

TEST_F(AsyncCallLogTest, AFullQueueDropsNewRowsAndCountsThoseBeingCommitted) {
  options_.queue_capacity = 6;
  strings_->Hold();
  Start();
  AppendRows(0, 4);
  strings_->WaitForAttempts(1);
  AppendRows(4, 9);
  EXPECT_EQ(log_->counters().appended, 6U);
  EXPECT_EQ(log_->counters().dropped, 3U);
  EXPECT_EQ(QueueRows(), 6);
  strings_->LetGo();
  log_.reset();
  EXPECT_EQ(strings_->ids(), Ids(6));
  EXPECT_EQ(Rows("appended"), 6U);
  EXPECT_EQ(Rows("committed"), 6U);
  EXPECT_EQ(Rows("dropped"), 3U);
}

TEST_F(AsyncCallLogTest, ThereIsRoomAgainAfterACommit) {
  options_.queue_capacity = 4;
  Start();
  AppendRows(0, 4);
  strings_->WaitForAttempts(1);
  clock_.WaitForSleepers(1);
  AppendRows(4, 8);
  EXPECT_EQ(log_->counters().dropped, 0U);
  log_.reset();
  EXPECT_EQ(strings_->ids(), Ids(8));
}

TEST_F(AsyncCallLogTest, AQueueSmallerThanAGroupIsCommittedWhenItIsFull) {
  options_.queue_capacity = 2;
  Start();
  AppendRows(0, 2);
  strings_->WaitForAttempts(1);
  log_.reset();
  EXPECT_THAT(strings_->group_sizes(), ElementsAre(2));
}

TEST_F(AsyncCallLogTest, StoppingGivesAFailingStoreOneLastTryAndCountsWhatIsLost) {
  options_.drain_limit = milliseconds(0);
  strings_->FailWhen([](int) { return true; });
  Start();
  AppendRows(0, 6);
  strings_->WaitForAttempts(1);
  clock_.WaitForSleepers(1, clock_.Now() + milliseconds(10));
  log_.reset();
  EXPECT_EQ(strings_->attempts().size(), 2U);
  EXPECT_EQ(Rows("appended"), 6U);
  EXPECT_EQ(Rows("committed"), 0U);
  EXPECT_EQ(Rows("dropped"), 6U);
  EXPECT_EQ(QueueRows(), 0);
}

TEST_F(AsyncCallLogTest, StoppingWaitsForAStoreThatRecoversWithinTheLimit) {
  strings_->FailWhen([](int attempt) { return attempt <= 3; });
  Start();
  AppendRows(0, 6);
  strings_->WaitForAttempts(1);
  clock_.WaitForSleepers(1, clock_.Now() + milliseconds(10));
  std::thread stop([this] { log_.reset(); });
  strings_->WaitForAttempts(2);  // at once
  PassRetryDelay(milliseconds(10));
  PassRetryDelay(milliseconds(20));
  stop.join();
  EXPECT_EQ(strings_->ids(), Ids(6));
  EXPECT_EQ(Rows("committed"), 6U);
  EXPECT_EQ(Rows("dropped"), 0U);
}

TEST_F(AsyncCallLogTest, StoppingEndsAtTheLimitWithAStoreThatStaysDown) {
  strings_->FailWhen([](int) { return true; });
  Start();
  AppendRows(0, 4);
  strings_->WaitForAttempts(1);
  clock_.WaitForSleepers(1, clock_.Now() + milliseconds(10));
  const TimePoint stopped = clock_.Now();
  std::thread stop([this] { log_.reset(); });
  strings_->WaitForAttempts(2);  // at once; then after 10, 30, 70 and at 100 ms
  for (const int delay_ms : {10, 20, 40, 30}) PassRetryDelay(milliseconds(delay_ms));
  stop.join();
  EXPECT_EQ(strings_->attempts().size(), 6U);
  EXPECT_EQ(strings_->attempts().back(), stopped + milliseconds(100));
  EXPECT_EQ(Rows("dropped"), 4U);
}

TEST_F(AsyncCallLogTest, AUsedIdIsDroppedAloneAndCountedAsADuplicate) {
  Start();
  log_->Append(Row("a"));
  log_->Append(Row("b"));
  log_->Append(Row("a"));
  log_->Append(Row("c"));
  log_.reset();
  EXPECT_THAT(strings_->ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(Rows("appended"), 4U);
  EXPECT_EQ(Rows("committed"), 3U);
  EXPECT_EQ(Rows("dropped"), 1U);
  EXPECT_EQ(Count("xcloud_call_log_duplicate_rows_total"), 1U);
}

TEST_F(AsyncCallLogTest, EachAttemptIsTimed) {
  strings_->FailWhen([](int attempt) { return attempt == 1; });
  Start();
  AppendRows(0, 4);
  PassRetryDelay(milliseconds(10));
  log_.reset();
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_call_log_commit_seconds_count 2\n"));
}

// Swaps the process's logger for one that keeps its text.
class CapturedLog {
 public:
  CapturedLog() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "captured", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~CapturedLog() { InitLog("info"); }
  int Occurrences(const std::string& words) const {
    const std::string text = text_.str();
    int count = 0;
    for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
      ++count;
    }
    return count;
  }

 private:
  std::ostringstream text_;
};

TEST_F(AsyncCallLogTest, WarnsOnceAnIntervalHoweverManyAttemptsAndRows) {
  const CapturedLog captured;
  options_.queue_capacity = 4;
  options_.commit_interval = std::chrono::hours(1);
  options_.first_retry_delay = options_.max_retry_delay = seconds(2);
  strings_->FailWhen([](int attempt) { return attempt <= 7; });
  Start();
  AppendRows(0, 50);                                       // 46 find the queue full
  for (int i = 0; i < 7; ++i) PassRetryDelay(seconds(2));  // attempts at 0, 2, ... 14 s
  log_.reset();
  EXPECT_EQ(captured.Occurrences("commit failed"), 2);  // at 0 and 10 s
  EXPECT_EQ(captured.Occurrences("the puppet was told to fail"), 2);
  EXPECT_GE(captured.Occurrences("rows dropped since"), 1);
  EXPECT_LE(captured.Occurrences("rows dropped since"), 2);
  EXPECT_EQ(captured.Occurrences("stored again, after 8 attempts"), 1);
}

}  // namespace
}  // namespace xcloud
