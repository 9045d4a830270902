#include "http/inference_call.h"

#include <memory>
#include <optional>
#include <utility>

namespace xcloud {
namespace {

// Shared with the callback. Touched on the io thread only: the callback posts to it.
struct PendingAnswer {
  Timer* waiter;  // null once nobody waits
  std::optional<InferenceResult> result;
};

// Ends the wait however the coroutine ends, also when it is destroyed where it stands.
class Waiting {
 public:
  Waiting(PendingAnswer& pending, Connection& connection)
      : pending_(pending), connection_(connection) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    pending_.waiter = nullptr;
    connection_.Unwatch();
  }

 private:
  PendingAnswer& pending_;
  Connection& connection_;
};

InferenceCallback PostTo(std::shared_ptr<CompletionPort> port,
                         std::shared_ptr<PendingAnswer> pending) {
  return [port = std::move(port), pending = std::move(pending)](InferenceResult result) {
    port->Post([pending, result = std::move(result)]() mutable {
      if (pending->waiter == nullptr) return;
      pending->result = std::move(result);
      pending->waiter->cancel();
    });
  };
}

}  // namespace

Task<CallOutcome> CallInference(WorkerState& worker, Connection& connection,
                                InferenceRequest request, TimePoint give_up_at) {
  Timer& timer = connection.wait_timer();
  const auto pending = std::make_shared<PendingAnswer>(PendingAnswer{&timer, std::nullopt});
  const auto cancel = std::make_shared<CancelToken>();
  bool gone = false;
  Waiting waiting(*pending, connection);
  timer.expires_after(give_up_at - worker.server.clock.Now());
  request.cancel = cancel;
  worker.server.service.Infer(std::move(request), PostTo(worker.port, pending));
  connection.Watch([&gone, &timer] {
    gone = true;
    timer.cancel();
  });
  // What cancels the timer runs on this thread, so never between a check and the wait.
  ErrorCode error = asio::error::operation_aborted;
  while (!pending->result && !gone && !connection.aborted() && error) {
    co_await timer.async_wait(asio::redirect_error(kUseTask, error));
  }
  CallOutcome outcome;
  if (pending->result) {
    outcome.result = *std::move(pending->result);
    co_return outcome;
  }
  cancel->Cancel();
  outcome.kind = gone                   ? CallOutcome::Kind::kClientGone
                 : connection.aborted() ? CallOutcome::Kind::kStopping
                                        : CallOutcome::Kind::kTooLate;
  co_return outcome;
}

}  // namespace xcloud
