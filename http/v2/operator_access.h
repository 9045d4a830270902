// OperatorAccess: who may change the server through /v2: whoever may use /admin, in the words of
// this door.
//
// Threads: the connection's io thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/admin_access.h"
#include "http/request_context.h"

namespace xcloud {

// 403, or nothing when the caller may. REQUIRES: server.admin is not "off".
inline std::optional<HttpError> CheckOperator(const RequestContext& context,
                                              std::string_view what) {
  const std::string& mode = context.worker.server.config.admin;
  auto error = CheckAdminAccess(mode, CallerOf(context.connection, context.head), what);
  if (error) error->message = "This API is restricted: " + error->message;
  return error;
}

}  // namespace xcloud
