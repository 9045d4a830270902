// InferOptions: what a caller may say about an inference, as query or form fields.
//
// Thread safety: values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/request.h"
#include "core/result.h"

namespace xcloud {

inline constexpr int kMaxTopK = 1000;
inline constexpr std::int64_t kMaxDeadlineMs = 3'600'000;

struct InferOptions {
  int top_k = 0;                            // 0 = the service's own
  std::optional<std::int64_t> deadline_ms;  // from the request's first byte
  // Shortens whatever deadline applies otherwise; 0 = does not. From the first byte. Named, with
  // its unit, as in the Open Inference Protocol.
  std::int64_t timeout_us = 0;
  std::optional<Priority> priority;  // else the service's own
  bool explain = false;
  std::string version;  // a number or a label; empty = the default one
};

// Sets the option called `name` (k, deadline_ms, timeout, priority, explain, version, which
// model_version is another word for);
// unknown names are left to others. InvalidArgument says what values there are.
Status ApplyInferOption(std::string_view name, std::string_view value, InferOptions& options);

// Applies every field of a query string (without '?').
Status ApplyInferQuery(std::string_view query, InferOptions& options);

}  // namespace xcloud
