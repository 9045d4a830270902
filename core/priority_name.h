// Priorities as callers and operators write them: "high", "normal", "low".
//
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "core/request.h"

namespace xcloud {

constexpr std::string_view PriorityName(Priority priority) {
  if (priority == Priority::kHigh) return "high";
  return priority == Priority::kLow ? "low" : "normal";
}

constexpr std::optional<Priority> ParsePriority(std::string_view name) {
  for (const Priority priority : {Priority::kHigh, Priority::kNormal, Priority::kLow}) {
    if (PriorityName(priority) == name) return priority;
  }
  return std::nullopt;
}

}  // namespace xcloud
