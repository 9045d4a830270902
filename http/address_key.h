// AddressKey: whose connection it is, for bounds per client: one IPv4 address, or one IPv6 /64
// (what one customer is given; a bound on single IPv6 addresses would bound nobody).
//
// Thread safety: pure; any thread. An IPv4-mapped IPv6 address is its IPv4 address. The two kinds
// do not meet: no peer has an address in the first 2^32 networks of IPv6 (0::/32 is reserved),
// but ::1, which has key 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/asio_types.h"

namespace xcloud {

using AddressKey = std::uint64_t;

inline AddressKey AddressKeyOf(const asio::ip::address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint();
  constexpr std::size_t kNetworkBytes = 8;
  AddressKey key = 0;
  for (std::size_t i = 0; i < kNetworkBytes; ++i) key = key << 8 | v6.to_bytes()[i];
  return key;
}

}  // namespace xcloud
