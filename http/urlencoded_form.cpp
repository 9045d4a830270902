#include "http/urlencoded_form.h"

#include <cstring>
#include <string>

#include "http/hex_digit.h"

namespace xcloud {

Result<std::vector<FormField>> SplitForm(std::string_view body) {
  std::vector<FormField> fields;
  while (!body.empty()) {
    const std::size_t end = body.find('&');
    const std::string_view piece = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view() : body.substr(end + 1);
    if (piece.empty()) continue;
    if (fields.size() == kMaxFormFields) {
      return Status::InvalidArgument("the form has more than " + std::to_string(kMaxFormFields) +
                                     " fields");
    }
    const std::size_t equals = piece.find('=');
    fields.push_back(equals == std::string_view::npos
                         ? FormField{piece, piece.substr(piece.size())}
                         : FormField{piece.substr(0, equals), piece.substr(equals + 1)});
  }
  return fields;
}

std::optional<std::size_t> DecodeEscapes(std::string_view text, char* out) {
  char* to = out;
  while (!text.empty()) {
    // Base64 has an escape each thirty characters or so: what is between them goes in one move.
    const std::string_view plain = text.substr(0, text.find('%'));
    std::memcpy(to, plain.data(), plain.size());
    to += plain.size();
    text.remove_prefix(plain.size());
    if (text.empty()) break;
    if (text.size() < 3) return std::nullopt;
    const int high = HexDigit(text[1]);
    const int low = HexDigit(text[2]);
    if (high < 0 || low < 0) return std::nullopt;
    *to++ = static_cast<char>(high * 16 + low);
    text.remove_prefix(3);
  }
  return static_cast<std::size_t>(to - out);
}

}  // namespace xcloud
