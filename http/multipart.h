// Multipart: a multipart/form-data body, taken apart in place (RFC 7578, RFC 2046).
//
// Thread safety: pure functions; any thread. Nothing is copied but names: `data` points into the
// body that was given. Bounds: 64 parts, 8 KiB of headers a part; more is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "http/media_type.h"

namespace xcloud {

inline constexpr std::size_t kMaxParts = 64;
inline constexpr std::size_t kMaxPartHeaderBytes = 8 * 1024;

struct Part {
  std::string name;
  std::string filename;      // empty = a plain field
  std::string content_type;  // as sent; empty = not sent
  std::string_view data;
};

// InvalidArgument says what is wrong: a boundary that never comes, a part without its name, a body
// that ends before the closing boundary, ...
Result<std::vector<Part>> ParseMultipart(std::string_view body, std::string_view boundary);

// The boundary of a multipart/form-data type; InvalidArgument when it has none that can be used.
Result<std::string> BoundaryOf(const MediaType& type);

// Null when no part has that name; the first when several have.
const Part* FindPart(const std::vector<Part>& parts, std::string_view name);

}  // namespace xcloud
