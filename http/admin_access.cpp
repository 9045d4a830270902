#include "http/admin_access.h"

#include <string>

#include "http/media_type.h"

namespace xcloud {
namespace {

// What proxies add. One that adds none of them cannot be told from a local caller.
constexpr std::string_view kForwardingHeaders[] = {"x-forwarded-for", "forwarded", "x-real-ip",
                                                   "via"};

// "127.0.0.1:8080", "[::1]", "localhost": no name that a stranger's DNS could answer for.
bool IsAddressOrLocalhost(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    host = host.substr(1, end - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (EqualsIgnoreCase(host, "localhost")) return true;
  ErrorCode error;
  asio::ip::make_address(std::string(host), error);
  return !error;
}

bool IsSameOrigin(std::string_view origin, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return EqualsIgnoreCase(origin.substr(scheme.size()), host);
  }
  return false;  // also "null"
}

}  // namespace

AdminCaller CallerOf(const Connection& connection, const RequestHead& head) {
  AdminCaller caller;
  caller.on_loopback = connection.PeerIsLoopback();
  for (const std::string_view header : kForwardingHeaders) {
    caller.forwarded = caller.forwarded || head.Has(header);
  }
  caller.host = head.Header("host");
  if (head.Has("origin")) caller.origin = head.Header("origin");
  return caller;
}

std::optional<HttpError> CheckAdminAccess(std::string_view mode, const AdminCaller& caller,
                                          std::string_view what) {
  const std::string name(what);
  if (caller.origin && !IsSameOrigin(*caller.origin, caller.host)) {
    return MakeHttpError(403, name + " is not for pages of other sites");
  }
  if (mode == "any") return std::nullopt;
  if (!caller.on_loopback) {
    return MakeHttpError(403, name + " is only for callers on the server's own machine");
  }
  if (caller.forwarded) {
    return MakeHttpError(403, name + " is not for callers that a proxy forwards");
  }
  if (!IsAddressOrLocalhost(caller.host)) {
    return MakeHttpError(403, "call " + name + " by localhost or an IP address, not by a name");
  }
  return std::nullopt;
}

}  // namespace xcloud
