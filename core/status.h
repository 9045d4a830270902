// Status: the outcome of an operation that can fail for reasons the caller must handle.
//
// Tier one of the two error tiers (ARCHITECTURE.md, "Errors"): bad input, overload, missing
// files and dead peers are a Status. A broken invariant is tier two: XC_CHECK aborts.
// The message is shown to callers: name the cause in words they can act on, nothing internal.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace xcloud {

// What went wrong, in the caller's terms. http/status_mapping.h holds the one table to HTTP.
enum class StatusCode {
  kOk,
  kInvalidArgument,   // the input is wrong; sending it again will not help
  kUnsupportedMedia,  // not an image format that we read
  kTooLarge,          // over a stated limit of bytes or pixels
  kNotFound,          // no such service, version or file
  kAlreadyExists,     // the name is taken
  kUnauthenticated,   // no or unknown key
  kPermissionDenied,  // the key may not do this
  kOverloaded,        // a bounded queue is full; retry after Status::retry_after()
  kUnavailable,       // the service exists and is not ready (loading, no weights, draining)
  kDeadlineExceeded,  // the deadline passed before an answer was ready
  kCancelled,         // the caller went away
  kUnsupported,       // known, and not offered by this build or configuration
  kInternal,          // our fault
};

// "invalid_argument" and so on: the word used in logs and metrics.
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status UnsupportedMedia(std::string m) {
    return {StatusCode::kUnsupportedMedia, std::move(m)};
  }
  static Status TooLarge(std::string m) { return {StatusCode::kTooLarge, std::move(m)}; }
  static Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status AlreadyExists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }
  static Status Overloaded(std::string m, std::chrono::milliseconds retry_after) {
    Status status(StatusCode::kOverloaded, std::move(m));
    status.retry_after_ = retry_after;
    return status;
  }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status DeadlineExceeded(std::string m) {
    return {StatusCode::kDeadlineExceeded, std::move(m)};
  }
  static Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
  static Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
  static Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // How long the caller should wait before trying again; zero when there is nothing to say.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  // "not_found: no service named 'x'", for logs.
  std::string ToString() const;

  friend bool operator==(const Status& a, const Status& b) {
    return a.code_ == b.code_ && a.message_ == b.message_;
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::chrono::milliseconds retry_after_{0};
  std::string message_;
};

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace xcloud

// Tier two: aborts, in every build type, when an invariant of our own does not hold.
#define XC_CHECK(condition)                                                  \
  do {                                                                       \
    if (!(condition)) ::xcloud::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)
