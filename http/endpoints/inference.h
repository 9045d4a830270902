// What every front door does around an inference: the row for the call log, the deadline, the
// question at the door, and the wait for the answer.
//
//   BeginCall -> AdmitCall -> body -> MakeRequest -> AskService -> the door's own answer
//
// Threads: the connection's io thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/inference_service.h"
#include "http/completion_wait.h"
#include "http/endpoints/infer_options.h"
#include "http/request_context.h"
#include "http/status_mapping.h"

namespace xcloud {

// Begins the row of the call log. `api_name`: "cv/imagenet", "v2/imagenet"; cut to a sane length.
void BeginCall(RequestContext& context, std::string_view api_name);

// The error as the door's answer; its code goes into the log row. After BeginCall.
Response RefuseCall(RequestContext& context, const HttpError& error);

// The service of that name, noted in the log row and for the metrics. Null: there is none.
ServiceInfoPtr FindService(RequestContext& context, std::string_view name);

// The headers that set options, which a proxy may add: X-Deadline-Ms, X-Priority,
// X-Model-Version.
Status ApplyInferHeaders(const RequestHead& head, InferOptions& options);

// The caller's own deadline, else the service's goal, else none; `timeout` may shorten it. From the
// first byte.
Deadline DeadlineOf(const RequestContext& context, const InferOptions& options,
                    const ServiceInfo& info);

// What can be refused before the body is read: a body that cannot be decoded or is too long, a
// deadline that has passed, and whatever the service says to one more request.
std::optional<HttpError> AdmitCall(RequestContext& context, const InferOptions& options,
                                   const ServiceInfo& info);

// The request's ids, options and times; the door adds the photo or the tensors.
InferenceRequest MakeRequest(const RequestContext& context, const InferOptions& options,
                             const ServiceInfo& info);

// The instant after which nobody waits for work on the request: the deadline, else
// answer_timeout_ms from now.
TimePoint PatienceOf(const RequestContext& context, const InferOptions& options,
                     const ServiceInfo& info);

// What a wait that ended without an answer is answered with. REQUIRES: end is not kAnswered.
HttpError NotAnswered(WaitEnd end);

struct CallAnswer {
  std::optional<HttpError> error;  // else `result` is an answer
  InferenceResult result;
};

// Asks and waits: no longer than the deadline, nor than the client or the server stays. Notes the
// outcome for the log row and the metrics.
Task<CallAnswer> AskService(RequestContext& context, const InferOptions& options,
                            const ServiceInfo& info, InferenceRequest request);

}  // namespace xcloud
