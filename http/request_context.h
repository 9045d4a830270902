// RequestContext: one request as an endpoint sees it.
//
// Threads: the connection's io thread. Lives from the end of the header until the answer is
// written and logged; views point into the connection's HeadParser.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/call_log.h"
#include "core/deadline.h"
#include "core/request.h"
#include "http/body_reader.h"
#include "http/connection.h"
#include "http/head_parser.h"
#include "http/response.h"
#include "http/server_state.h"

namespace xcloud {

struct RequestContext {
  WorkerState& worker;
  Connection& connection;
  const RequestHead& head;
  BodyReader body;

  std::string_view path;   // of the target, as sent
  std::string_view query;  // without '?'
  std::string parameter;   // what the route's {segment} matched, decoded
  std::string parameter2;  // likewise, of its second {segment}
  ErrorForm form;          // of the path's front door
  TimePoint first_byte;
  WallTime called_at;
  std::string request_id;
  std::string trace_id;  // empty = none

  // Left by the endpoint for what is done after the answer is written.
  std::string model = {};                      // the service's name, once it is known to exist
  std::optional<CallRecord> call_record = {};  // the row for the call log
  std::optional<StageTimes> stages = {};       // of a successful inference
  Deadline deadline = {};                      // of the inference, once it is known

  ServerState& server() { return worker.server; }
  Duration Elapsed() const { return worker.server.clock.Now() - first_byte; }
  Response Fail(const HttpError& error) const {
    return ErrorResponse(error, Elapsed(), form, trace_id);
  }
};

}  // namespace xcloud
