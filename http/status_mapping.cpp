#include "http/status_mapping.h"

#include <utility>

namespace xcloud {
namespace {

struct Row {
  StatusCode status;
  int http_status;
  int code;
};

constexpr Row kRows[] = {
    {StatusCode::kInvalidArgument, 400, kCodeBadImage},
    {StatusCode::kUnsupportedMedia, 415, kCodeBadImage},
    {StatusCode::kTooLarge, 413, 413},
    {StatusCode::kNotFound, 404, 404},
    {StatusCode::kAlreadyExists, 409, 409},
    {StatusCode::kUnauthenticated, 401, 401},
    {StatusCode::kPermissionDenied, 403, 403},
    {StatusCode::kOverloaded, 429, 429},
    {StatusCode::kUnavailable, 503, 503},
    {StatusCode::kDeadlineExceeded, 504, 504},
    {StatusCode::kCancelled, kStatusClientGone, kStatusClientGone},
    {StatusCode::kUnsupported, 501, 501},
    {StatusCode::kInternal, 500, 500},
};

}  // namespace

HttpError ToHttpError(const Status& status) {
  XC_CHECK(!status.ok());
  for (const Row& row : kRows) {
    if (row.status == status.code()) {
      return {row.http_status, row.code, status.message(), status.retry_after(), {}};
    }
  }
  return MakeHttpError(500, status.message());
}

HttpError MakeHttpError(int status, std::string message) {
  return {status, status, std::move(message), {}, {}};
}

HttpError NoRoomFor(std::string_view what) {
  HttpError error = MakeHttpError(
      503, "the server holds as many bytes of " + std::string(what) + " as it may; try again soon");
  error.retry_after = std::chrono::seconds(1);  // they leave within a latency goal or so
  return error;
}

HttpError BadImage(std::string message) {
  return {400, kCodeBadImage, std::move(message), {}, {}};
}

}  // namespace xcloud
