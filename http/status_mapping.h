// The one table from StatusCode to HTTP status and body code, and HttpError: a refusal on its way
// to the caller.
//
// Body codes: 0 success, 1 the image is missing or bad, 2 wrong method, 3 none found (kept for
// the routes that detect something first); every other failure repeats the HTTP status, so that
// a caller who reads only the body can still tell them apart.
// Thread safety: values and pure functions; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/status.h"

namespace xcloud {

inline constexpr int kCodeSuccess = 0;
inline constexpr int kCodeBadImage = 1;
inline constexpr int kCodeBadMethod = 2;

// nginx's word for "the client closed the connection before the answer". Only in the call log and
// the metrics: nobody is left to read it.
inline constexpr int kStatusClientGone = 499;

struct HttpError {
  int status = 500;  // HTTP
  int code = 500;    // of the body
  std::string message;
  std::chrono::milliseconds retry_after{0};  // zero = not said
  std::string allow = {};                    // of a 405: the methods that the path takes
};

// REQUIRES: !status.ok().
HttpError ToHttpError(const Status& status);

// A refusal of this room's own: the body code repeats the HTTP status.
HttpError MakeHttpError(int status, std::string message);

// 503: bodies_limit_bytes is used up; `what` the bytes are of: "bodies".
HttpError NoRoomFor(std::string_view what);

// 400 with body code 1.
HttpError BadImage(std::string message);

}  // namespace xcloud
