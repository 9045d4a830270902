#include "http/endpoints/infer_options.h"

#include <charconv>
#include <limits>

#include "core/priority_name.h"
#include "http/query.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxVersionBytes = 64;

// Digits only, within the bounds.
std::optional<std::int64_t> ParseWithin(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < min || value > max) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Status ApplyInferOption(std::string_view name, std::string_view value, InferOptions& options) {
  if (name == "k") {
    const auto k = ParseWithin(value, 1, kMaxTopK);
    if (!k) return Status::InvalidArgument("k must be a whole number from 1 to 1000");
    options.top_k = static_cast<int>(*k);
  } else if (name == "deadline_ms") {
    options.deadline_ms = ParseWithin(value, 1, kMaxDeadlineMs);
    if (!options.deadline_ms) {
      return Status::InvalidArgument("deadline_ms must be a whole number from 1 to 3600000");
    }
  } else if (name == "timeout") {
    const auto us = ParseWithin(value, 0, std::numeric_limits<std::int64_t>::max());
    if (!us) return Status::InvalidArgument("timeout must be a whole number of microseconds");
    options.timeout_us = *us > kMaxDeadlineMs * 1000 ? 0 : *us;  // longer shortens nothing
  } else if (name == "priority") {
    options.priority = ParsePriority(value);
    if (!options.priority) {
      return Status::InvalidArgument("priority must be high, normal or low");
    }
  } else if (name == "explain") {
    if (value != "1" && value != "0" && value != "true" && value != "false") {
      return Status::InvalidArgument("explain must be 0 or 1");
    }
    options.explain = value == "1" || value == "true";
  } else if (name == "version" || name == "model_version") {
    if (value.size() > kMaxVersionBytes) {
      return Status::InvalidArgument(std::string(name) + " must have at most 64 characters");
    }
    options.version = value;
  }
  return Status::Ok();
}

Status ApplyInferQuery(std::string_view query, InferOptions& options) {
  const auto fields = ParseQuery(query);
  if (!fields) return Status::InvalidArgument("the query has a malformed %-escape");
  for (const auto& [name, value] : *fields) {
    Status status = ApplyInferOption(name, value, options);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace xcloud
