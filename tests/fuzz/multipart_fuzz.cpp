// The parts of a form lie within its body, in order, and cannot contain their own boundary; a form
// written anew from them, or from any bytes at all, reads as the same parts.
#include "http/multipart.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "http/media_type.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

void CheckPlaces(const std::vector<Part>& parts, std::string_view body, std::string_view boundary) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  const char* from = body.data();
  for (const Part& part : parts) {
    XC_CHECK(!part.name.empty());
    XC_CHECK(part.content_type == TrimBlanks(part.content_type));
    XC_CHECK(FindPart(parts, part.name) != nullptr);
    XC_CHECK(part.data.find(delimiter + "--") == std::string_view::npos);
    XC_CHECK(part.data.find(delimiter + "\r\n") == std::string_view::npos);
    if (part.data.empty()) continue;  // points nowhere in particular
    XC_CHECK(part.data.data() >= from);
    from = part.data.data() + part.data.size();
    XC_CHECK(from <= body.data() + body.size());
    const auto end = static_cast<std::size_t>(from - body.data());
    XC_CHECK(body.substr(end).starts_with(delimiter));
  }
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '\r' || c == '\n') out += '\\';
    out += c;
  }
  return out + '"';
}

// A boundary that no part contains.
std::string FreshBoundary(std::string_view body) {
  std::string boundary;
  for (int i = 0; boundary.empty() || body.find(boundary) != std::string_view::npos; ++i) {
    boundary = "fresh" + std::to_string(i);
  }
  return boundary;
}

std::string Write(const std::vector<Part>& parts, const std::string& boundary) {
  std::string body;
  for (const Part& part : parts) {
    body += "--" + boundary + "\r\nContent-Disposition: form-data; name=" + Quoted(part.name);
    if (!part.filename.empty()) body += "; filename=" + Quoted(part.filename);
    if (!part.content_type.empty()) body += "\r\ncontent-type:" + part.content_type;
    body.append("\r\n\r\n").append(part.data).append("\r\n");
  }
  return body + "--" + boundary + "--\r\n";
}

// `body`: what all of the parts' data are in.
void CheckWritten(const std::vector<Part>& parts, std::string_view body) {
  for (const Part& part : parts) {
    // Escapes lengthen a header, and a part's headers are bounded.
    if (2 * (part.name.size() + part.filename.size()) + part.content_type.size() >
        kMaxPartHeaderBytes - 200) {
      return;
    }
  }
  const std::string boundary = FreshBoundary(body);
  const std::string written = Write(parts, boundary);
  const auto again = ParseMultipart(written, boundary);
  XC_CHECK(again.ok() && again->size() == parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = (*again)[i];
    XC_CHECK(part.name == parts[i].name && part.filename == parts[i].filename);
    XC_CHECK(part.content_type == parts[i].content_type && part.data == parts[i].data);
  }
}

// Cuts the bytes into parts, the first piece of each its name.
std::vector<Part> PartsOf(std::string_view bytes, const std::vector<std::size_t>& cuts) {
  std::vector<Part> parts;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    const std::string_view piece = bytes.substr(at, cut - at);
    const std::size_t middle = std::min(piece.size() / 2, std::size_t{100});
    Part part;
    part.name = "n" + std::string(piece.substr(0, middle));
    part.filename = piece.substr(0, middle / 2);
    part.data = piece.substr(middle);
    parts.push_back(std::move(part));
    at = cut;
  }
  return parts;
}

void TestOne(FuzzInput input) {
  // The boundary is what the body's first line says, so that mutations keep both in step; or one
  // that has nothing to do with it.
  const std::size_t choice = input.TakeByte();
  const auto cuts = input.TakeCuts();
  const ExactCopy copy(input.rest());
  const std::string_view body = copy.view();
  CheckWritten(PartsOf(body, cuts), body);
  std::string_view boundary = "B";
  if (choice % 4 != 3 && body.starts_with("--")) {
    boundary = body.substr(2, std::min(body.find("\r\n") - 2, std::size_t{80}));
  }
  const auto parts = ParseMultipart(body, boundary);
  if (!parts.ok()) {
    XC_CHECK(parts.status().code() == StatusCode::kInvalidArgument);
    XC_CHECK(!parts.status().message().empty());
    return;
  }
  XC_CHECK(!boundary.empty() && boundary.size() <= 70 && parts->size() <= kMaxParts);
  CheckPlaces(*parts, body, boundary);
  CheckWritten(*parts, body);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
