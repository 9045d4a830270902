#include "http/response.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace xcloud {
namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110), whatever the locale.
void AppendHttpDate(std::string& out, WallTime now) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const int length = std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                   kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon],
                                   utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  out.append(text, static_cast<std::size_t>(length));
}

void AppendHeader(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Response ErrorResponse(const HttpError& error, Duration elapsed, ErrorForm form,
                       std::string_view trace_id) {
  Response response;
  response.status = error.status;
  response.body = WriteError(error, elapsed, form, trace_id);
  if (!error.allow.empty()) response.headers.emplace_back("Allow", error.allow);
  if (error.retry_after.count() > 0 || error.status == 429) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
    response.headers.emplace_back("Retry-After",
                                  std::to_string(std::max<std::int64_t>(1, seconds)));
  }
  if (error.retry_after.count() > 0) {
    response.headers.emplace_back("Retry-After-Ms", std::to_string(error.retry_after.count()));
  }
  return response;
}

Response JsonResponse(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

std::string SerializeHead(const Response& response, const HeadOptions& options) {
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(ReasonPhrase(response.status)).append("\r\nDate: ");
  AppendHttpDate(head, options.now);
  head += "\r\n";
  if (response.status != 304) {
    AppendHeader(head, "Content-Type", response.content_type);
    AppendHeader(head, "Content-Length", std::to_string(response.payload().size()));
    AppendHeader(head, "X-Content-Type-Options", "nosniff");
  }
  if (!options.request_id.empty()) AppendHeader(head, "X-Request-Id", options.request_id);
  if (!options.trace_response.empty()) {
    AppendHeader(head, "traceresponse", options.trace_response);
  }
  for (const auto& [name, value] : response.headers) AppendHeader(head, name, value);
  if (!options.keep_alive) {
    AppendHeader(head, "Connection", "close");
  } else if (options.http_1_0) {
    AppendHeader(head, "Connection", "keep-alive");
  }
  head += "\r\n";
  return head;
}

}  // namespace xcloud
