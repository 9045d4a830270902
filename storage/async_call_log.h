// AsyncCallLog: a bounded queue and one writer thread between the requests and a CallStore.
//
// Append, from any thread, holds one mutex for a move of one row; it never waits for the store.
// Rows gather in groups. A group is committed, in order of arrival, when it holds commit_rows rows
// or commit_interval after its first row, whichever is first; while the store is busy, the next
// groups gather meanwhile. Memory is bounded by queue_capacity rows, those being committed
// included.
//
// Invariants (at every instant, under the lock):
//   1. appended == committed + lost + duplicate + waiting, where `dropped` of the counters is
//      lost + duplicate + those that Append refused: every row that was ever handed in is counted
//      once. After the destructor waiting is 0.
//   2. A row that Append took is stored once, or counted as dropped: lost when the log had to stop
//      with the store still failing, duplicate when its request_id was in the store already.
//
// A failed commit is tried again, the same rows, after first_retry_delay, doubled up to
// max_retry_delay. Meanwhile new rows queue up; once the queue is full they are dropped and
// counted, so the log keeps the oldest rows of an outage. The destructor commits all that waits
// and blocks until that is done; with a failing store it gives up after drain_limit.
// A row that waits here is lost when the process is killed: at most commit_interval of them while
// the store works.
// A store that committed and yet reported a failure (possible across a network, not with SQLite)
// is still asked again: invariant 3 of CallStore keeps each row single, the counters then show
// those rows as duplicates.
//
// Metrics: xcloud_call_log_{rows_total{outcome},duplicate_rows_total,queue_rows,commits_total,
// commit_failures_total,commit_seconds}. Warnings are limited to one a kWarnInterval.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "core/call_log.h"
#include "core/clock.h"
#include "core/metrics.h"
#include "core/mutex.h"
#include "core/status.h"
#include "storage/call_store.h"

namespace xcloud {

struct AsyncCallLogOptions {
  std::size_t queue_capacity = 65'536;  // rows not yet stored; at least 1
  std::size_t commit_rows = 512;        // rows in one transaction at the most; at least 1
  Duration commit_interval = std::chrono::milliseconds(50);  // 0 = commit whatever is there
  // Retries of a failing store: early enough that a short lock costs nothing, then seldom.
  Duration first_retry_delay = std::chrono::milliseconds(50);
  Duration max_retry_delay = std::chrono::seconds(5);
  // How long the destructor goes on with a failing store; 0 = one last try.
  Duration drain_limit = std::chrono::seconds(5);
};

class AsyncCallLog final : public CallLog {
 public:
  // At most one warning about failed commits, and one about dropped rows, in this time.
  static constexpr Duration kWarnInterval = std::chrono::seconds(10);

  // Starts the writer. `clock` and `metrics` outlive the log. REQUIRES: no two logs share one
  // registry at a time.
  AsyncCallLog(std::unique_ptr<CallStore> store, const AsyncCallLogOptions& options, Clock& clock,
               MetricsRegistry& metrics);
  // REQUIRES: no other thread is in Append or counters, or enters them later.
  ~AsyncCallLog() override;
  AsyncCallLog(const AsyncCallLog&) = delete;
  AsyncCallLog& operator=(const AsyncCallLog&) = delete;

  void Append(CallRecord record) noexcept override XC_EXCLUDES(mutex_);
  CallLogCounters counters() const override XC_EXCLUDES(mutex_);

 private:
  struct Group {
    std::vector<CallRecord> rows;  // 1 to group_rows_
    TimePoint due;                 // commit no later, even if not full
  };
  // The metrics, looked up once.
  struct Meters {
    explicit Meters(MetricsRegistry& metrics);
    Counter& appended;
    Counter& committed;
    Counter& dropped;
    Counter& duplicates;
    Gauge& queue_rows;
    Counter& commits;
    Counter& failures;
    Histogram& commit_seconds;
  };

  bool Enqueue(CallRecord& record) XC_EXCLUDES(mutex_);
  void CountDropped(std::size_t rows) XC_REQUIRES(mutex_);
  void SetWaiting(std::size_t rows) XC_REQUIRES(mutex_);

  // The writer thread.
  void Run();
  std::optional<Group> TakeGroup() XC_EXCLUDES(mutex_);
  bool CommitUntilStored(const Group& group);
  bool WaitToRetry(Duration& delay) XC_EXCLUDES(mutex_);
  void CountStored(std::size_t rows, std::size_t stored) XC_EXCLUDES(mutex_);
  void DropAll() XC_EXCLUDES(mutex_);
  bool WarnOfFailure(const Status& status, std::uint64_t attempt);
  void WarnOfDrops() XC_EXCLUDES(mutex_);

  const AsyncCallLogOptions options_;
  const std::size_t group_rows_;  // a group is full: commit_rows, or the queue where it is smaller
  const std::unique_ptr<CallStore> store_;  // the writer's
  Clock& clock_;
  Meters meters_;

  mutable Mutex mutex_;
  CondVar wake_;  // first row of a group, group full, stop
  std::deque<Group> groups_ XC_GUARDED_BY(mutex_);
  std::size_t waiting_ XC_GUARDED_BY(mutex_) = 0;  // rows in groups_ and in the writer's hands
  CallLogCounters counters_ XC_GUARDED_BY(mutex_);
  bool stopping_ XC_GUARDED_BY(mutex_) = false;
  TimePoint give_up_ XC_GUARDED_BY(mutex_) = TimePoint::max();  // set with stopping_

  // Touched by the writer alone.
  TimePoint next_failure_warning_ = TimePoint::min();
  TimePoint next_drop_warning_ = TimePoint::min();
  std::uint64_t warned_dropped_ = 0;

  std::thread writer_;  // last: it uses all of the above
};

}  // namespace xcloud
