// LongWork: a few threads for what would hold an io thread too long: reading and writing JSON of
// many numbers. An io thread that read 32 MB of it would answer nobody else for most of a second.
//
//   auto read = [body] { return Parse(body); };                   // -> Result<X>; owns what it
//   uses auto waited = co_await WorkAside<X>(worker, connection, give_up_at, read);
//
// Bounds: kThreads at work, kCapacity that wait; one more is refused with Overloaded. The threads
// are niced below the io threads and start with the first work.
// Threads: LongWork's methods from any thread; WorkAside is a coroutine of an io thread. `work`
// runs on a thread of LongWork, once or not at all, maybe after the wait is over.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/bounded_queue.h"
#include "core/cancel.h"
#include "core/mutex.h"
#include "core/result.h"
#include "http/completion_wait.h"

namespace xcloud {

class LongWork {
 public:
  using Job = std::function<void()>;  // must not throw

  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kCapacity = 64;

  LongWork() = default;
  // Stops.
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;

  // False when kCapacity jobs wait, or after Stop.
  bool TryRun(Job job) XC_EXCLUDES(mutex_);
  // Jobs that no thread has taken yet.
  std::size_t waiting() const { return jobs_.size(); }
  // Drops what waits, ends what runs and joins. Idempotent.
  void Stop() XC_EXCLUDES(mutex_);

 private:
  void Run(std::size_t number);

  BoundedQueue<Job> jobs_{kCapacity};
  Mutex mutex_;
  bool stopped_ XC_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ XC_GUARDED_BY(mutex_);
};

namespace long_work {

Status Refused();
// What `work` threw, logged; to be called from a catch block.
Status Thrown(const std::exception& error);

}  // namespace long_work

template <class X>
Task<WaitOutcome<Result<X>>> WorkAside(WorkerState& worker, Connection& connection,
                                       TimePoint give_up_at, std::function<Result<X>()> work) {
  const auto cancel = std::make_shared<CancelToken>();
  auto begin = [&worker, &work, &cancel](std::function<void(Result<X>)> done) {
    const bool taken = worker.server.long_work->TryRun([work = std::move(work), done, cancel] {
      if (cancel->Cancelled()) return;
      try {
        done(work());
      } catch (const std::exception& error) {
        done(long_work::Thrown(error));
      }
    });
    if (!taken) done(long_work::Refused());
  };
  WaitOutcome<Result<X>> waited =
      co_await WaitForCompletion<Result<X>>(worker, connection, give_up_at, begin);
  if (!waited.value) cancel->Cancel();
  co_return waited;
}

// As WorkAside where the work is long; what is not is done at once, on the io thread.
template <class X>
Task<WaitOutcome<Result<X>>> WorkAsideIf(bool is_long, WorkerState& worker, Connection& connection,
                                         TimePoint give_up_at, std::function<Result<X>()> work) {
  WaitOutcome<Result<X>> outcome;
  if (is_long) {
    outcome = co_await WorkAside<X>(worker, connection, give_up_at, std::move(work));
  } else {
    outcome.value = work();
  }
  co_return outcome;
}

}  // namespace xcloud
