// Percent-decoding and query strings.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xcloud {

using QueryFields = std::vector<std::pair<std::string, std::string>>;  // in order, decoded

// Nothing when a '%' is not followed by two hex digits.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);

// "k=5&explain" -> {{"k","5"},{"explain",""}}. Empty pieces are skipped. Nothing when an escape is
// broken.
std::optional<QueryFields> ParseQuery(std::string_view query);

}  // namespace xcloud
