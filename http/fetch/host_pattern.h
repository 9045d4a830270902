// Host names and addresses as they stand in URLs and in [fetch] allow, and the patterns of `allow`.
//
// One spelling each: what can be written in several ways (decimal, octal and hexadecimal IPv4,
// percent signs, other digits and dots of Unicode, user names) is refused, not translated, so no
// two parsers can read it differently. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "http/fetch/fetch_seams.h"

namespace xcloud {

struct Host {
  std::string name;  // lower case, no dot at the end; an IPv6 address without its brackets
  std::optional<IpAddress> address;  // set when the name is one
};

// Reads "Img.Example.org.", "192.0.2.1" or "[2001:db8::1]". The message of an InvalidArgument goes
// on from "the host ".
Result<Host> ParseHost(std::string_view text);

struct HostAndPort {
  Host host;
  std::optional<std::uint16_t> port;
};

// What may stand between "//" and the path: a host, then perhaps a colon and a port from 1.
Result<HostAndPort> ParseAuthority(std::string_view text);

// One entry of `allow`.
class HostPattern {
 public:
  // "img.example.org", "*.example.org" (each name below it, not itself) or "*", then perhaps a
  // port.
  static Result<HostPattern> Parse(std::string_view text);
  // An entry without a port stands for ports 80 and 443.
  bool Matches(const Host& host, std::uint16_t port) const;

 private:
  enum class Kind { kExact, kBelow, kAny };
  Kind kind_ = Kind::kExact;
  std::string name_;
  std::optional<std::uint16_t> port_;
};

}  // namespace xcloud
