// ShownText: a stranger's text as it stands in a message. A name of a megabyte must not make an
// answer and a log line of a megabyte.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xcloud {

inline constexpr std::size_t kMaxShownBytes = 64;  // a model's name is no longer

// The text, or its first kMaxShownBytes bytes and "..."; a character of UTF-8 is not cut in two.
inline std::string ShownText(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return std::string(text);
  std::size_t end = kMaxShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "...";
}

// Likewise in quotes: 'image'.
inline std::string ShownName(std::string_view name) {
  return "'" + ShownText(name) + "'";
}

}  // namespace xcloud
