// Request ids, trace ids, and what kind of client calls: what a request says about itself.
//
// Thread safety: RandomIds belongs to one io thread; the rest are pure functions.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

#include "core/call_log.h"

namespace xcloud {

inline constexpr std::size_t kMaxRequestIdBytes = 128;

// Makes ids of 128 random bits, as 32 hex digits. Unique, not secret.
class RandomIds {
 public:
  RandomIds();
  std::string Next();

 private:
  std::mt19937_64 engine_;
};

// 1 to 128 visible ASCII characters: fit to be echoed in a header and to stand in a log line.
bool IsSaneRequestId(std::string_view id);

// The trace id of a W3C `traceparent` header, 32 hex digits; empty when the header is malformed,
// all zero or of the invalid version ff.
std::string_view TraceIdOf(std::string_view traceparent);

// The `traceresponse` header that answers a `traceparent` (W3C Trace Context, the draft of level
// 2): its trace id and flags, and an id of ours for this request. Empty when TraceIdOf is.
std::string TraceResponseOf(std::string_view traceparent, RandomIds& ids);

// From the User-Agent header, by well-known words.
TerminalType TerminalTypeOf(std::string_view user_agent);

}  // namespace xcloud
