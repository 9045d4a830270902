// ModelLookup: the model that a path below /v2/models names, or the refusal in the words that
// Triton's clients know.
//
// Threads: the connection's io thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/inference_service.h"
#include "http/request_context.h"
#include "http/status_mapping.h"

namespace xcloud {

// 400 for a name that could lead out of the repository.
std::optional<HttpError> CheckModelName(std::string_view name);

// Finds what {model} and {version} of the route name; a version is a number or a label, and an
// empty one is whichever a request gets that names none. 400 (not a name, not a version), 404 (no
// such model or version; says what is served).
std::optional<HttpError> FindModel(RequestContext& context, ServiceInfoPtr& info);

// The same for a version that was named elsewhere than in the route.
std::optional<HttpError> FindModelVersion(RequestContext& context, const std::string& version,
                                          ServiceInfoPtr& info);

// 503 with the reason while the model does not serve.
std::optional<HttpError> CheckModelReady(const ServiceInfo& info);

}  // namespace xcloud
