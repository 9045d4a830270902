// ByteView: integers out of foreign bytes, big or little endian.
//
// Has() must be asked before a read: a read past the end is our own mistake and aborts, it never
// touches memory outside the view. Offsets are 64-bit, so sums of foreign lengths cannot wrap.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/status.h"

namespace xcloud {

class ByteView {
 public:
  explicit ByteView(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t size() const { return bytes_.size(); }
  bool Has(std::uint64_t at, std::uint64_t count) const {
    return at <= size() && count <= size() - at;
  }
  bool HasText(std::uint64_t at, std::string_view text) const {
    return Has(at, text.size()) && bytes_.substr(at, text.size()) == text;
  }
  std::string_view Sub(std::uint64_t at, std::uint64_t count) const {
    XC_CHECK(Has(at, count));
    return bytes_.substr(at, count);
  }

  std::uint32_t U8(std::uint64_t at) const {
    XC_CHECK(Has(at, 1));
    return static_cast<std::uint8_t>(bytes_[at]);
  }
  std::uint32_t Be16(std::uint64_t at) const { return U8(at) << 8 | U8(at + 1); }
  std::uint32_t Be32(std::uint64_t at) const { return Be16(at) << 16 | Be16(at + 2); }
  std::uint32_t Le16(std::uint64_t at) const { return U8(at + 1) << 8 | U8(at); }
  std::uint32_t Le24(std::uint64_t at) const { return U8(at + 2) << 16 | Le16(at); }
  std::uint32_t Le32(std::uint64_t at) const { return Le16(at + 2) << 16 | Le16(at); }

 private:
  std::string_view bytes_;
};

}  // namespace xcloud
