// SocketAddress: an IP address and a port out of the system's sockaddr. Pure, any thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "http/fetch/fetch_seams.h"

namespace xcloud {

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;
};

// Nothing for other families than IPv4 and IPv6. Keeps an IPv6 scope: it must not get lost before
// the address policy has seen it.
inline std::optional<SocketAddress> ToSocketAddress(const sockaddr* address, std::size_t size) {
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    return SocketAddress{boost::asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)),
                         ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof(v6));
    boost::asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return SocketAddress{boost::asio::ip::address_v6(bytes, v6.sin6_scope_id), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace xcloud
