// FetchSeams: what a test may put in the place of the network when it makes a PhotoFetcher.
// Production passes FetchSeams{} and gets the system's resolver and the built-in address policy.
//
// Plain values, copied in. The functions are called on the fetcher's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/ip/address.hpp>

namespace xcloud {

class HostResolver;  // http/fetch/resolver.h

using IpAddress = boost::asio::ip::address;

struct FetchSeams {
  // Null = SystemResolver (getaddrinfo).
  std::shared_ptr<HostResolver> resolver;
  // Lets an address through that the address policy refuses: a test names exactly its own server,
  // 127.0.0.1 and its port. Empty = no exception, always so in production.
  std::function<bool(const IpAddress&, std::uint16_t port)> exception;
  // Trusts the certificates of this file alone. Empty = the system's, always so in production.
  std::string ca_file;
  // Told of every socket just before it connects. For counting.
  std::function<void(const IpAddress&, std::uint16_t port)> on_connect;
};

}  // namespace xcloud
