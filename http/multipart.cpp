#include "http/multipart.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "http/media_type.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxBoundaryBytes = 70;  // RFC 2046

Status Malformed(std::string why) {
  return Status::InvalidArgument("malformed multipart body: " + std::move(why));
}

// What follows a delimiter: blanks, then "\r\n" (a part begins) or "--" before them (the end).
enum class AfterDelimiter { kPart, kEnd, kNeither };

AfterDelimiter TakeAfterDelimiter(std::string_view& rest) {
  if (rest.starts_with("--")) return AfterDelimiter::kEnd;
  std::size_t at = 0;
  while (at < rest.size() && (rest[at] == ' ' || rest[at] == '\t')) ++at;
  if (!rest.substr(at).starts_with("\r\n")) return AfterDelimiter::kNeither;
  rest.remove_prefix(at + 2);
  return AfterDelimiter::kPart;
}

// The delimiter that begins at or after the front of `text`: its position, or npos. A match
// whose line goes on with other text belongs to the data.
std::size_t FindDelimiter(std::string_view text, std::string_view delimiter) {
  for (std::size_t at = 0;; at += 1) {
    at = text.find(delimiter, at);
    if (at == std::string_view::npos) return at;
    std::string_view rest = text.substr(at + delimiter.size());
    if (TakeAfterDelimiter(rest) != AfterDelimiter::kNeither) return at;
  }
}

Status ParseHeaderLine(std::string_view line, Part& part) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Malformed("a part's header has no colon");
  const std::string_view name = TrimBlanks(line.substr(0, colon));
  const std::string_view value = TrimBlanks(line.substr(colon + 1));
  if (EqualsIgnoreCase(name, "content-type")) {
    part.content_type = value;
  } else if (EqualsIgnoreCase(name, "content-disposition")) {
    const std::optional<MediaType> disposition = ParseMediaType(value);
    if (!disposition || disposition->value != "form-data") {
      return Malformed("a part's Content-Disposition is not form-data");
    }
    if (const std::string* field = disposition->Parameter("name")) part.name = *field;
    if (const std::string* file = disposition->Parameter("filename")) part.filename = *file;
  } else if (EqualsIgnoreCase(name, "content-transfer-encoding") &&
             !EqualsIgnoreCase(value, "binary") && !EqualsIgnoreCase(value, "8bit") &&
             !EqualsIgnoreCase(value, "7bit")) {
    return Malformed("a part's Content-Transfer-Encoding is not binary");
  }
  return Status::Ok();
}

// Takes the header lines and the empty line off the front of `rest`.
Status TakeHeaders(std::string_view& rest, Part& part) {
  std::size_t left = kMaxPartHeaderBytes;
  for (;;) {
    const std::size_t end = rest.substr(0, left).find("\r\n");
    if (end == std::string_view::npos) {
      return rest.size() >= left ? Malformed("a part's headers are over 8 KiB")
                                 : Malformed("it ends within a part's headers");
    }
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    left -= end + 2;
    if (line.empty()) break;
    Status status = ParseHeaderLine(line, part);
    if (!status.ok()) return status;
  }
  return part.name.empty() ? Malformed("a part has no name") : Status::Ok();
}

}  // namespace

Result<std::vector<Part>> ParseMultipart(std::string_view body, std::string_view boundary) {
  if (boundary.empty() || boundary.size() > kMaxBoundaryBytes) {
    return Status::InvalidArgument("the multipart boundary must have 1 to 70 characters");
  }
  const std::string delimiter = "\r\n--" + std::string(boundary);
  std::string_view rest = body;
  // The first delimiter may stand at the very start, without its line break.
  std::string_view after = rest.substr(0, delimiter.size() - 2);
  if (after == std::string_view(delimiter).substr(2)) {
    rest.remove_prefix(delimiter.size() - 2);
  } else {
    const std::size_t first = FindDelimiter(rest, delimiter);
    if (first == std::string_view::npos) return Malformed("its boundary never comes");
    rest.remove_prefix(first + delimiter.size());
  }
  std::vector<Part> parts;
  for (;;) {
    const AfterDelimiter next = TakeAfterDelimiter(rest);
    if (next == AfterDelimiter::kEnd) return parts;
    if (next == AfterDelimiter::kNeither) return Malformed("no line break after a boundary");
    if (parts.size() == kMaxParts) return Malformed("more than 64 parts");
    Part part;
    Status status = TakeHeaders(rest, part);
    if (!status.ok()) return status;
    // An empty part's delimiter begins with the line break that ended its headers.
    const std::string_view searched(rest.data() - 2, rest.size() + 2);
    const std::size_t end = FindDelimiter(searched, delimiter);
    if (end == std::string_view::npos) return Malformed("it ends before its closing boundary");
    part.data = end < 2 ? std::string_view() : rest.substr(0, end - 2);
    parts.push_back(std::move(part));
    rest = searched.substr(end + delimiter.size());
  }
}

Result<std::string> BoundaryOf(const MediaType& type) {
  const std::string* boundary = type.Parameter("boundary");
  if (boundary == nullptr || boundary->empty() || boundary->size() > kMaxBoundaryBytes) {
    return Status::InvalidArgument("multipart/form-data needs a boundary of 1 to 70 characters");
  }
  return *boundary;
}

const Part* FindPart(const std::vector<Part>& parts, std::string_view name) {
  for (const Part& part : parts) {
    if (part.name == name) return &part;
  }
  return nullptr;
}

}  // namespace xcloud
