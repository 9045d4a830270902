#include "models/labels.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xcloud {
namespace {

constexpr std::size_t kMaxLabelBytes = 1024;

// Bytes of the character that `lead` starts; 0 when it starts none.
std::size_t CharacterBytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

}  // namespace

bool IsPlainUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t bytes = CharacterBytes(lead);
    if (bytes == 0 || at + bytes > text.size()) return false;
    std::uint32_t code = bytes == 1 ? lead : lead & (0x7FU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = code << 6U | (next & 0x3FU);
    }
    const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (control || overlong || surrogate || code > 0x10FFFF) return false;
    at += bytes;
  }
  return true;
}

Result<std::vector<std::string>> ParseLabels(std::string_view text, std::string_view file) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.empty()) {
    return Status::InvalidArgument(std::string(file) + ": must name at least one label");
  }
  std::vector<std::string> labels;
  std::string errors;
  const auto fail = [&](std::string_view why) {
    if (!errors.empty()) errors += '\n';
    errors.append(file).append(":").append(std::to_string(labels.size())).append(": ").append(why);
  };
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view label = text.substr(start, end - start);
    if (label.ends_with('\r')) label.remove_suffix(1);
    labels.emplace_back(label);
    if (label.empty()) fail("must not be blank");
    if (!IsPlainUtf8(label)) fail("must be UTF-8 without control characters");
    if (label.size() > kMaxLabelBytes) fail("must be at most 1024 bytes long");
    start = end + 1;
  }
  if (!errors.empty()) return Status::InvalidArgument(errors);
  return labels;
}

}  // namespace xcloud
