// UrlPolicy: which URLs a photo may be fetched from. Looks at the text alone; where the host's name
// leads is address_policy.h's matter.
//
// A URL is http or https, of at most 2048 printable ASCII characters, without user name, backslash
// or fragment; its host has one spelling (host_pattern.h) and stands in [fetch] allow, with its
// port. The text is read twice, by us and by libcurl, and both must see the same host; what is
// fetched is built anew from the parts that were checked. A label that starts with xn-- is taken as
// it is: it goes to the name server, and nothing shows it to a person.
//
// Threads: const methods from any thread; a value, never changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "http/fetch/host_pattern.h"

namespace xcloud {

struct CheckedUrl {
  bool https = false;
  Host host;
  std::uint16_t port = 0;
  std::string text;  // what is fetched
};

class UrlPolicy {
 public:
  // InvalidArgument: "fetch.allow: 'PATTERN': the host ...".
  static Result<UrlPolicy> Create(const FetchConfig& config);

  // True when no host is allowed.
  bool off() const { return allow_.empty(); }
  // PermissionDenied (off, host or port not allowed) or InvalidArgument, for the caller.
  Result<CheckedUrl> Check(std::string_view url) const;

 private:
  bool Allows(const Host& host, std::uint16_t port) const;
  std::vector<HostPattern> allow_;
};

}  // namespace xcloud
