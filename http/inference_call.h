// InferenceCall: asks the InferenceService and waits for its answer without holding the thread.
//
// Threads: the connection's io thread. The service may call back from any thread, at any time,
// also after the wait is over or the server is gone: the late result is dropped.
#pragma once

#include "core/request.h"
#include "http/asio_types.h"
#include "http/completion_wait.h"
#include "http/connection.h"
#include "http/server_state.h"

namespace xcloud {

struct CallOutcome {
  using Kind = WaitEnd;
  Kind kind = Kind::kAnswered;
  InferenceResult result;  // of kAnswered: the service's
};

// Whatever ends the wait but an answer also sets the request's CancelToken.
Task<CallOutcome> CallInference(WorkerState& worker, Connection& connection,
                                InferenceRequest request, TimePoint give_up_at);

}  // namespace xcloud
