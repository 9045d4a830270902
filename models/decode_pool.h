// DecodePool: the threads that decode and resize photos, behind a bounded queue.
//
// Decoding takes milliseconds of CPU, so it must never run on an io thread, and it must not
// starve them either: the pool's threads are niced below (Linux nices single threads).
// Invariants: an accepted job runs exactly once, also when the pool is being destroyed; a refused
// job is left with the caller, untouched. Submit: any thread, never blocks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "core/bounded_queue.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "core/status.h"

namespace xcloud {

struct DecodePoolOptions {
  std::size_t threads = 0;           // 0 = one for each core that this process may use
  std::size_t queue_capacity = 256;  // jobs waiting; >= 1; more are refused (Overloaded)
  int nice = 5;                      // added to the threads' niceness; 0 = as the rest
};

struct DecodePoolCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t finished = 0;
  std::size_t waiting = 0;  // accepted and not yet taken by a thread
};

class DecodePool {
 public:
  // Must not throw.
  using Job = std::function<void()>;

  // `clock` measures jobs, for retry_after; it must outlive the pool.
  DecodePool(const DecodePoolOptions& options, const Clock& clock);
  // Refuses new jobs, runs those that wait, joins.
  ~DecodePool();
  DecodePool(const DecodePool&) = delete;
  DecodePool& operator=(const DecodePool&) = delete;

  // Moves from `job` only when the result is OK. Overloaded when the queue is full, with the time
  // that the queue is likely to need; Unavailable while the pool is being destroyed.
  Status Submit(Job&& job);
  // All of them or none. InvalidArgument when they are more than the queue can ever hold.
  Status SubmitAll(std::vector<Job>&& jobs);

  // Would a job be taken now? Overloaded when the queue is full. A hint: it may fill before Submit.
  Status Admit() const;

  // When a job that came now would be done, by the mean of the last jobs: what waits, shared out
  // over the threads, and the job itself. Zero until a job was measured.
  Duration ExpectedDelay() const;

  DecodePoolCounters counters() const;
  std::size_t thread_count() const { return threads_.size(); }

 private:
  Status Refuse(std::size_t jobs);
  void Loop(std::size_t number, int nice);
  void Learn(Duration elapsed);
  std::chrono::milliseconds RetryAfter() const;

  const Clock& clock_;
  const std::size_t thread_total_;
  // Held by whoever adds to the queue, or closes it: what was free stays free for all of a set.
  Mutex submit_mutex_;
  BoundedQueue<Job> jobs_;
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::int64_t> mean_job_ns_{0};  // moving mean; 0 = nothing measured yet
  std::vector<std::thread> threads_;
};

}  // namespace xcloud
