// CompletionWait: starts something that ends with a callback and waits for it without holding the
// thread: an inference, a load.
//
// Threads: the connection's io thread. The callback may come from any thread, at any time, also
// after the wait is over or the server is gone: a late value is dropped. One wait at a time on a
// connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/clock.h"
#include "http/asio_types.h"
#include "http/connection.h"
#include "http/server_state.h"
#include "http/status_mapping.h"

namespace xcloud {

enum class WaitEnd {
  kAnswered,    // the callback came
  kTooLate,     // `give_up_at` passed first
  kClientGone,  // the connection closed first
  kStopping,    // the server cut the connection
};

// What a caller is told whose wait ended without the callback; `too_late`: in which words, when
// time ran out. REQUIRES: end is not kAnswered.
HttpError NotAnswered(WaitEnd end, std::string too_late);

template <class T>
struct WaitOutcome {
  WaitEnd end = WaitEnd::kAnswered;
  std::optional<T> value;  // of kAnswered
};

namespace completion_wait {

// Shared with the callback. Touched on the io thread only: the callback posts to it.
template <class T>
struct Pending {
  Timer* waiter;  // null once nobody waits
  std::optional<T> value;
};

// Ends the wait however the coroutine ends, also when it is destroyed where it stands.
template <class T>
class Waiting {
 public:
  Waiting(Pending<T>& pending, Connection& connection)
      : pending_(pending), connection_(connection) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    pending_.waiter = nullptr;
    connection_.Unwatch();
  }

 private:
  Pending<T>& pending_;
  Connection& connection_;
};

template <class T>
std::function<void(T)> PostTo(std::shared_ptr<CompletionPort> port,
                              std::shared_ptr<Pending<T>> pending) {
  return [port = std::move(port), pending = std::move(pending)](T value) {
    port->Post([pending, value = std::move(value)]() mutable {
      if (pending->waiter == nullptr) return;
      pending->value = std::move(value);
      pending->waiter->cancel();
    });
  };
}

}  // namespace completion_wait

// Calls `begin(done)` and waits until done(T) was called.
template <class T, class Begin>
Task<WaitOutcome<T>> WaitForCompletion(WorkerState& worker, Connection& connection,
                                       TimePoint give_up_at, Begin begin) {
  using completion_wait::Pending;
  Timer& timer = connection.wait_timer();
  const auto pending = std::make_shared<Pending<T>>(Pending<T>{&timer, std::nullopt});
  bool gone = false;
  completion_wait::Waiting<T> waiting(*pending, connection);
  timer.expires_after(give_up_at - worker.server.clock.Now());
  begin(completion_wait::PostTo<T>(worker.port, pending));
  connection.Watch([&gone, &timer] {
    gone = true;
    timer.cancel();
  });
  // What cancels the timer runs on this thread, so never between a check and the wait.
  ErrorCode error = asio::error::operation_aborted;
  while (!pending->value && !gone && !connection.aborted() && error) {
    co_await timer.async_wait(asio::redirect_error(kUseTask, error));
  }
  WaitOutcome<T> outcome;
  if (pending->value) {
    outcome.value = std::move(pending->value);
  } else {
    outcome.end = gone                   ? WaitEnd::kClientGone
                  : connection.aborted() ? WaitEnd::kStopping
                                         : WaitEnd::kTooLate;
  }
  co_return outcome;
}

}  // namespace xcloud
