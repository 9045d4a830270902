// ToBase64: bytes as base64, for tests. Plain and slow; the server only ever decodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xcloud {

inline std::string ToBase64(std::string_view bytes, bool padded = true) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i <= group.size(); ++i) out += kAlphabet[bits >> (18 - 6 * i) & 63];
    if (padded) out.append(3 - group.size(), '=');
  }
  return out;
}

}  // namespace xcloud
