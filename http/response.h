// Response: what an endpoint answers, and the bytes of its head.
//
// Thread safety: plain values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "http/error_form.h"
#include "http/status_mapping.h"

namespace xcloud {

inline constexpr std::string_view kJsonType = "application/json; charset=utf-8";

struct Response {
  int status = 200;
  std::string_view content_type = kJsonType;  // points at constant text
  std::string body;
  std::string_view constant_body;  // used when `body` is empty: an embedded page, not copied
  std::vector<std::pair<std::string_view, std::string>> headers;  // beside the usual ones
  bool close = false;                                             // the connection ends after it

  std::string_view payload() const { return body.empty() ? constant_body : body; }
};

// The error as JSON in that form, with Retry-After where it carries one.
Response ErrorResponse(const HttpError& error, Duration elapsed,
                       ErrorForm form = ErrorForm::kXCloud, std::string_view trace_id = {});
// A body of JSON that is written already.
Response JsonResponse(std::string body);

struct HeadOptions {
  bool keep_alive = true;
  bool http_1_0 = false;
  WallTime now;                          // for Date
  std::string_view request_id;           // empty = not sent
  std::string_view trace_response = {};  // likewise
};

// Status line and headers, with the empty line.
std::string SerializeHead(const Response& response, const HeadOptions& options);

// "Not Found"; "Unknown" for a status that we do not send.
std::string_view ReasonPhrase(int status);

}  // namespace xcloud
