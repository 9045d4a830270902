#include "models/decode_pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace xcloud {
namespace {

// Until a job was measured: a 500 x 375 photo takes about 2 ms (shared/performance.md, section 2),
// a phone photo 50 times that.
constexpr Duration kAssumedJob = std::chrono::milliseconds(20);

std::size_t UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

void NameAndNice(std::size_t number, int nice) {
  const std::string name = "decode/" + std::to_string(number);
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  if (nice == 0) return;
  // 0 means the calling thread for Linux. Failure (a sandbox) costs only the courtesy.
  const int now = getpriority(PRIO_PROCESS, 0);
  (void)setpriority(PRIO_PROCESS, 0, now + nice);
}

}  // namespace

DecodePool::DecodePool(const DecodePoolOptions& options, const Clock& clock)
    : clock_(clock),
      thread_total_(options.threads == 0 ? UsableCores() : options.threads),
      jobs_(options.queue_capacity) {
  threads_.reserve(thread_total_);
  for (std::size_t i = 0; i < thread_total_; ++i) {
    threads_.emplace_back([this, i, nice = options.nice] { Loop(i, nice); });
  }
}

DecodePool::~DecodePool() {
  {
    MutexLock lock(submit_mutex_);
    closing_.store(true);
    jobs_.Close();
  }
  for (std::thread& thread : threads_) thread.join();
}

Status DecodePool::Submit(Job&& job) {
  MutexLock lock(submit_mutex_);
  if (!jobs_.TryPush(std::move(job))) return Refuse(1);
  accepted_.fetch_add(1, std::memory_order_relaxed);
  return Status::Ok();
}

Status DecodePool::SubmitAll(std::vector<Job>&& jobs) {
  if (jobs.size() > jobs_.capacity()) {
    return Status::InvalidArgument("a request may hold at most " +
                                   std::to_string(jobs_.capacity()) + " photos, this one holds " +
                                   std::to_string(jobs.size()));
  }
  MutexLock lock(submit_mutex_);
  if (closing_.load() || jobs_.capacity() - jobs_.size() < jobs.size()) return Refuse(jobs.size());
  for (Job& job : jobs) XC_CHECK(jobs_.TryPush(std::move(job)));
  accepted_.fetch_add(jobs.size(), std::memory_order_relaxed);
  return Status::Ok();
}

Status DecodePool::Refuse(std::size_t jobs) {
  refused_.fetch_add(jobs, std::memory_order_relaxed);
  if (closing_.load()) return Status::Unavailable("the server is shutting down");
  return Status::Overloaded("too many photos wait to be decoded", RetryAfter());
}

Status DecodePool::Admit() const {
  if (jobs_.size() < jobs_.capacity()) return Status::Ok();
  return Status::Overloaded("too many photos wait to be decoded", RetryAfter());
}

DecodePoolCounters DecodePool::counters() const {
  return {accepted_.load(std::memory_order_relaxed), refused_.load(std::memory_order_relaxed),
          finished_.load(std::memory_order_relaxed), jobs_.size()};
}

void DecodePool::Loop(std::size_t number, int nice) {
  NameAndNice(number, nice);
  while (std::optional<Job> job = jobs_.Pop()) {
    const TimePoint start = clock_.Now();
    (*job)();
    job.reset();  // what the job owns is gone before it counts as finished
    Learn(clock_.Now() - start);
    finished_.fetch_add(1, std::memory_order_relaxed);
  }
}

// Moving mean over about 16 jobs. Threads may overwrite each other's sample: it is a hint.
void DecodePool::Learn(Duration elapsed) {
  const std::int64_t sample = std::max<std::int64_t>(1, elapsed.count());
  const std::int64_t mean = mean_job_ns_.load(std::memory_order_relaxed);
  mean_job_ns_.store(mean == 0 ? sample : mean + (sample - mean) / 16, std::memory_order_relaxed);
}

Duration DecodePool::ExpectedDelay() const {
  const Duration job(mean_job_ns_.load(std::memory_order_relaxed));
  const auto waiting = static_cast<std::int64_t>(jobs_.size());
  return job + job * waiting / static_cast<std::int64_t>(thread_total_);
}

std::chrono::milliseconds DecodePool::RetryAfter() const {
  const std::int64_t mean = mean_job_ns_.load(std::memory_order_relaxed);
  const Duration job = mean == 0 ? kAssumedJob : Duration(mean);
  const auto waiting = static_cast<std::int64_t>(jobs_.size());
  const auto threads = static_cast<std::int64_t>(thread_total_);
  return std::chrono::ceil<std::chrono::milliseconds>(job * (waiting / threads + 1));
}

}  // namespace xcloud
