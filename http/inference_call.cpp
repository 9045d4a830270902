#include "http/inference_call.h"

#include <memory>
#include <utility>

namespace xcloud {

Task<CallOutcome> CallInference(WorkerState& worker, Connection& connection,
                                InferenceRequest request, TimePoint give_up_at) {
  const auto cancel = std::make_shared<CancelToken>();
  request.cancel = cancel;
  auto begin = [&worker, &request](InferenceCallback done) {
    worker.server.service.Infer(std::move(request), std::move(done));
  };
  WaitOutcome<InferenceResult> waited =
      co_await WaitForCompletion<InferenceResult>(worker, connection, give_up_at, begin);
  CallOutcome outcome;
  outcome.kind = waited.end;
  if (waited.value) {
    outcome.result = *std::move(waited.value);
  } else {
    cancel->Cancel();
  }
  co_return outcome;
}

}  // namespace xcloud
