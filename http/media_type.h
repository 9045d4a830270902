// MediaType: the value of a Content-Type or Content-Disposition header, taken apart.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xcloud {

struct MediaType {
  std::string value;                                            // lower case: "image/jpeg"
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case, unquoted

  // Null when there is none of that name (given in lower case).
  const std::string* Parameter(std::string_view name) const;
};

// `form-data; name="a \"b\""; filename=x.jpg`. Nothing when the text is malformed: an empty value,
// a parameter without '=', or an open quote.
std::optional<MediaType> ParseMediaType(std::string_view text);

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string_view TrimBlanks(std::string_view text);

}  // namespace xcloud
