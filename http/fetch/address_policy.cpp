#include "http/fetch/address_policy.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace xcloud {
namespace {

using V4 = boost::asio::ip::address_v4;
using V6 = boost::asio::ip::address_v6;

constexpr std::uint32_t Ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

struct V4Range {
  std::uint32_t base;
  int bits;
  std::string_view why;
};

constexpr V4Range kV4[] = {
    {Ip(0, 0, 0, 0), 8, "unspecified"},
    {Ip(10, 0, 0, 0), 8, "private"},
    {Ip(100, 64, 0, 0), 10, "carrier"},  // also Alibaba's metadata, 100.100.100.200
    {Ip(127, 0, 0, 0), 8, "loopback"},
    {Ip(168, 63, 129, 16), 32, "metadata"},  // Azure's, in public space
    {Ip(169, 254, 0, 0), 16, "link-local"},  // with the metadata service of most clouds
    {Ip(172, 16, 0, 0), 12, "private"},
    {Ip(192, 0, 0, 0), 24, "reserved"},  // also Oracle's metadata, 192.0.0.192
    {Ip(192, 0, 2, 0), 24, "documentation"},
    {Ip(192, 88, 99, 0), 24, "transition"},
    {Ip(192, 168, 0, 0), 16, "private"},
    {Ip(198, 18, 0, 0), 15, "benchmark"},
    {Ip(198, 51, 100, 0), 24, "documentation"},
    {Ip(203, 0, 113, 0), 24, "documentation"},
    {Ip(224, 0, 0, 0), 4, "multicast"},
    {Ip(240, 0, 0, 0), 4, "reserved"},  // with broadcast
};

struct V6Range {
  std::array<std::uint8_t, 6> base;  // no range below is longer than 48 bits
  int bits;
  std::string_view why;
};

// Within 2000::/3.
constexpr V6Range kV6[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23, "reserved"},  // protocol assignments, Teredo, ORCHID, benchmark
    {{0x20, 0x01, 0x0D, 0xB8}, 32, "documentation"},
    {{0x20, 0x02}, 16, "transition"},                        // 6to4
    {{0x26, 0x20, 0x00, 0x4F, 0x80, 0x00}, 48, "reserved"},  // AS112
    {{0x3F, 0xFE}, 16, "reserved"},                          // 6bone, given back
    {{0x3F, 0xFF, 0x00}, 20, "documentation"},
};

template <std::size_t N>
bool StartsWith(const V6::bytes_type& bytes, const std::array<std::uint8_t, N>& base, int bits) {
  for (int i = 0; i < bits; ++i) {
    const auto byte = static_cast<std::size_t>(i / 8);
    if (((bytes[byte] ^ base[byte]) >> (7 - i % 8) & 1) != 0) return false;
  }
  return true;
}

std::string_view WhyRefusedV4(const V4& address) {
  for (const V4Range& range : kV4) {
    if ((address.to_uint() ^ range.base) >> (32 - range.bits) == 0) return range.why;
  }
  return {};
}

V4 LastFour(const V6::bytes_type& bytes) {
  return V4({bytes[12], bytes[13], bytes[14], bytes[15]});
}

std::string_view WhyOutsideOfGlobalUnicast(const V6& address) {
  const V6::bytes_type bytes = address.to_bytes();
  if (address.is_unspecified()) return "unspecified";
  if (address.is_loopback()) return "loopback";
  if (bytes[0] == 0xFF) return "multicast";
  if ((bytes[0] & 0xFE) == 0xFC) return "private";                      // also AWS's fd00:ec2::254
  if (bytes[0] == 0xFE && (bytes[1] & 0x80) != 0) return "link-local";  // and site-local
  return "reserved";
}

std::string_view WhyRefusedV6(const V6& address) {
  constexpr std::array<std::uint8_t, 12> kNat64 = {0x00, 0x64, 0xFF, 0x9B};
  const V6::bytes_type bytes = address.to_bytes();
  if (address.is_v4_mapped() || StartsWith(bytes, kNat64, 96)) return WhyRefusedV4(LastFour(bytes));
  if ((bytes[0] & 0xE0) != 0x20) return WhyOutsideOfGlobalUnicast(address);
  for (const V6Range& range : kV6) {
    if (StartsWith(bytes, range.base, range.bits)) return range.why;
  }
  // ISATAP, under any prefix: 0000:5efe:a.b.c.d, the second bit of the first byte either way.
  if ((bytes[8] & 0xFD) == 0 && bytes[9] == 0 && bytes[10] == 0x5E && bytes[11] == 0xFE) {
    return "transition";
  }
  return {};
}

}  // namespace

std::string_view WhyRefused(const IpAddress& address) {
  if (address.is_v4()) return WhyRefusedV4(address.to_v4());
  // A scope names an interface of this machine: not a public address, whatever its bits.
  if (address.to_v6().scope_id() != 0) return "link-local";
  return WhyRefusedV6(address.to_v6());
}

}  // namespace xcloud
