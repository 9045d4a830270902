#include "storage/async_call_log.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/log.h"

namespace xcloud {
namespace {

Counter& RowCounter(MetricsRegistry& metrics, const char* outcome) {
  return metrics.GetCounter("xcloud_call_log_rows_total",
                            "Rows of the call log: taken, stored, not stored.",
                            {{"outcome", outcome}});
}

std::size_t SmallerOf(const AsyncCallLogOptions& options) {
  XC_CHECK(options.queue_capacity > 0 && options.commit_rows > 0);
  return std::min(options.commit_rows, options.queue_capacity);
}

}  // namespace

AsyncCallLog::Meters::Meters(MetricsRegistry& metrics)
    : appended(RowCounter(metrics, "appended")),
      committed(RowCounter(metrics, "committed")),
      dropped(RowCounter(metrics, "dropped")),
      duplicates(metrics.GetCounter("xcloud_call_log_duplicate_rows_total",
                                    "Rows dropped because their request_id was stored before.")),
      queue_rows(metrics.GetGauge("xcloud_call_log_queue_rows",
                                  "Rows taken and not yet stored, those being committed too.")),
      commits(metrics.GetCounter("xcloud_call_log_commits_total", "Groups of rows stored.")),
      failures(metrics.GetCounter("xcloud_call_log_commit_failures_total",
                                  "Attempts to store a group that failed.")),
      commit_seconds(metrics.GetHistogram("xcloud_call_log_commit_seconds",
                                          "Time of one attempt to store a group, failed or not.",
                                          LatencyBoundsSeconds())) {}

AsyncCallLog::AsyncCallLog(std::unique_ptr<CallStore> store, const AsyncCallLogOptions& options,
                           Clock& clock, MetricsRegistry& metrics)
    : options_(options),
      group_rows_(SmallerOf(options)),
      store_(std::move(store)),
      clock_(clock),
      meters_(metrics) {
  XC_CHECK(store_ != nullptr);
  XC_CHECK(options.first_retry_delay > Duration::zero());
  XC_CHECK(options.max_retry_delay >= options.first_retry_delay);
  writer_ = std::thread([this] { Run(); });
}

AsyncCallLog::~AsyncCallLog() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    give_up_ = clock_.Now() + options_.drain_limit;
  }
  wake_.NotifyAll();
  writer_.join();
}

void AsyncCallLog::Append(CallRecord record) noexcept {
  bool wake = false;
  try {
    wake = Enqueue(record);
  } catch (const std::exception&) {  // no memory for the row
    MutexLock lock(mutex_);
    CountDropped(1);
  }
  // The writer sleeps on a group's first row to learn when it is due, and until it is full; the
  // rows between need not wake it.
  if (wake) wake_.NotifyOne();
}

bool AsyncCallLog::Enqueue(CallRecord& record) {
  MutexLock lock(mutex_);
  if (waiting_ >= options_.queue_capacity) {
    CountDropped(1);
    return false;
  }
  if (groups_.empty() || groups_.back().rows.size() >= group_rows_) {
    Group group;
    group.rows.reserve(group_rows_);  // so that no later Append pays for a reallocation
    group.due = clock_.Now() + options_.commit_interval;
    groups_.push_back(std::move(group));
  }
  std::vector<CallRecord>& rows = groups_.back().rows;
  rows.push_back(std::move(record));
  ++counters_.appended;
  meters_.appended.Add();
  SetWaiting(waiting_ + 1);
  return rows.size() == 1 || rows.size() >= group_rows_;
}

CallLogCounters AsyncCallLog::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

void AsyncCallLog::CountDropped(std::size_t rows) {
  counters_.dropped += rows;
  meters_.dropped.Add(rows);
}

void AsyncCallLog::SetWaiting(std::size_t rows) {
  waiting_ = rows;
  meters_.queue_rows.Set(static_cast<std::int64_t>(rows));
}

void AsyncCallLog::Run() {
  while (const std::optional<Group> group = TakeGroup()) {
    if (!CommitUntilStored(*group)) {
      DropAll();
      return;
    }
    WarnOfDrops();
  }
}

// Blocks until a group is full or due. Nothing when the log stops and no row is left.
std::optional<AsyncCallLog::Group> AsyncCallLog::TakeGroup() {
  MutexLock lock(mutex_);
  while (true) {
    TimePoint wake_at = TimePoint::max();
    if (!groups_.empty()) {
      wake_at = groups_.front().due;
      const bool full = groups_.front().rows.size() >= group_rows_;
      if (full || stopping_ || clock_.Now() >= wake_at) {
        Group group = std::move(groups_.front());
        groups_.pop_front();
        return group;
      }
    } else if (stopping_) {
      return std::nullopt;
    }
    clock_.WaitUntil(wake_, mutex_, wake_at);
  }
}

// False when the log must stop with the store still failing.
bool AsyncCallLog::CommitUntilStored(const Group& group) {
  Duration delay = options_.first_retry_delay;
  bool warned = false;
  for (std::uint64_t attempt = 1;; ++attempt) {
    const TimePoint start = clock_.Now();
    const Result<std::size_t> stored = store_->Commit(group.rows);
    meters_.commit_seconds.Observe(ToMilliseconds(clock_.Now() - start) / 1e3);
    if (stored.ok()) {
      CountStored(group.rows.size(), *stored);
      if (warned) spdlog::info("call log: rows are stored again, after {} attempts", attempt);
      return true;
    }
    meters_.failures.Add();
    warned |= WarnOfFailure(stored.status(), attempt);
    WarnOfDrops();
    if (!WaitToRetry(delay)) return false;
  }
}

// Sleeps for `delay` and doubles it. A stop cuts the sleep short once, for a try at once, and makes
// the delays short again; they go on up to give_up_. False when that has passed.
bool AsyncCallLog::WaitToRetry(Duration& delay) {
  MutexLock lock(mutex_);
  const bool was_stopping = stopping_;
  const TimePoint now = clock_.Now();
  if (was_stopping && now >= give_up_) return false;
  const TimePoint until = std::min(now + delay, give_up_);
  while (clock_.Now() < until && stopping_ == was_stopping) {
    clock_.WaitUntil(wake_, mutex_, until);
  }
  const bool cut_short = stopping_ != was_stopping;
  delay = cut_short ? options_.first_retry_delay : std::min(2 * delay, options_.max_retry_delay);
  return true;
}

void AsyncCallLog::CountStored(std::size_t rows, std::size_t stored) {
  XC_CHECK(stored <= rows);
  MutexLock lock(mutex_);
  counters_.committed += stored;
  meters_.committed.Add(stored);
  CountDropped(rows - stored);
  meters_.duplicates.Add(rows - stored);
  meters_.commits.Add();
  SetWaiting(waiting_ - rows);
}

void AsyncCallLog::DropAll() {
  std::size_t lost = 0;
  {
    MutexLock lock(mutex_);
    lost = waiting_;
    CountDropped(lost);
    SetWaiting(0);
    groups_.clear();
  }
  spdlog::error("call log: stopped with a failing store; {} rows are lost", lost);
}

bool AsyncCallLog::WarnOfFailure(const Status& status, std::uint64_t attempt) {
  const TimePoint now = clock_.Now();
  if (now < next_failure_warning_) return false;
  next_failure_warning_ = now + kWarnInterval;
  spdlog::warn("call log: commit failed (attempt {}), rows are kept and tried again: {}", attempt,
               status.message());
  return true;
}

void AsyncCallLog::WarnOfDrops() {
  const TimePoint now = clock_.Now();
  if (now < next_drop_warning_) return;
  const std::uint64_t dropped = counters().dropped;
  if (dropped == warned_dropped_) return;
  next_drop_warning_ = now + kWarnInterval;
  spdlog::warn("call log: {} rows dropped since the last warning (queue full or request_id used)",
               dropped - warned_dropped_);
  warned_dropped_ = dropped;
}

}  // namespace xcloud
