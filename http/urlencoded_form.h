// UrlencodedForm: a body of application/x-www-form-urlencoded, taken apart in place.
//
// Thread safety: pure functions; any thread. Nothing is copied: names and values are as sent, and
// point into the body. A value may be megabytes of base64, so who wants it decodes it where it is
// to lie. Bounds: kMaxFormFields; more is refused, or a body of "&a&a&a" would cost many times its
// size.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

inline constexpr std::size_t kMaxFormFields = 64;

struct FormField {
  std::string_view name;   // as sent, with its escapes
  std::string_view value;  // likewise; empty without '='
};

// In order; empty pieces are skipped. InvalidArgument: more than kMaxFormFields.
Result<std::vector<FormField>> SplitForm(std::string_view body);

// Undoes the %-escapes of `text` and leaves a '+' as it is, since in base64 and in URLs that is
// what the sender meant. Writes to `out`, which has room for text.size() bytes. The number of
// bytes; nothing when an escape is broken.
std::optional<std::size_t> DecodeEscapes(std::string_view text, char* out);

}  // namespace xcloud
