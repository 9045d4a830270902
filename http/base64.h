// Base64: text to bytes (RFC 4648), in one pass.
//
// Understood: the standard alphabet ('+', '/') and the URL-safe one ('-', '_'), also mixed; blanks
// and line breaks anywhere; padding that is whole or left out altogether. Anything else is an
// error that names its place: a character of no alphabet, something after the padding, a padding
// of the wrong length, a single character left over. Spare bits of the last character are dropped.
//
// Thread safety: pure functions; any thread. Cost: one pass, table driven, nothing allocated.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/result.h"

namespace xcloud {

// Bytes that `text_bytes` characters can become at most.
constexpr std::size_t Base64Bound(std::size_t text_bytes) {
  return text_bytes / 4 * 3 + 3;
}

enum class Base64Space {
  kSkipped,
  kIsPlus,  // what a '+' becomes that a client put into a urlencoded form as it is
};

// Decodes `text` to `out`, which has room for Base64Bound(text.size()) bytes, or lies in the text's
// own buffer, no further than text.data(): the bytes never overtake the text. Gives the number of
// bytes. InvalidArgument: "at character 17 (0x25): not in the alphabet".
Result<std::size_t> DecodeBase64(std::string_view text, char* out,
                                 Base64Space space = Base64Space::kSkipped);

}  // namespace xcloud
