// PhotoCall: what comes before a service is asked about a photo: the head's checks, the admission,
// the body in whichever form, the download of a photo that is named by its URL.
//
// Threads: the connection's io thread.
#pragma once

#include <optional>
#include <string>

#include "core/inference_service.h"
#include "http/byte_budget.h"
#include "http/endpoints/inference.h"
#include "http/request_context.h"

namespace xcloud {

// How long the download took; nothing where there was none.
using FetchTime = std::optional<Duration>;

struct PhotoCall {
  std::optional<HttpError> error;  // else `request` is ready but for its action
  InferOptions options;
  InferenceRequest request;
  FetchTime fetch;
};

// After BeginCall and FindService. `share` is what the photo takes of the bodies' budget: it lives
// until the service has answered.
Task<PhotoCall> ReceivePhotoCall(RequestContext& context, const ServiceInfo& info,
                                 BodyShare& share);

// The service named by {service} of a route of that group, "cv" or "dm"; what is below another
// group is told where it is. Null: `error` says why.
ServiceInfoPtr FindInGroup(RequestContext& context, std::string_view group,
                           std::optional<HttpError>& error);

// The answer of an inference as XCloud's own JSON.
Response AnswerCall(const RequestContext& context, const ServiceInfo& info,
                    const InferOptions& options, const InferenceResult& result,
                    FetchTime fetch = {});

}  // namespace xcloud
