#include "http/fetch/host_pattern.h"

#include <algorithm>
#include <charconv>

namespace xcloud {
namespace {

// RFC 1035.
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_';
}

std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// What old parsers take for a part of an IPv4 address: 127, 0177, 0x7f, 0x.
bool LooksNumeric(std::string_view label) {
  if (label.starts_with("0x")) return true;
  return std::all_of(label.begin(), label.end(), IsDigit);
}

Status CheckLabels(std::string_view name) {
  if (name.size() > kMaxName) return Status::InvalidArgument("has too long a name");
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    const std::string_view label = name.substr(at, end - at);
    if (label.empty() || label.size() > kMaxLabel || label.front() == '-' ||
        !std::all_of(label.begin(), label.end(), IsNameChar)) {
      return Status::InvalidArgument(
          "must be a name of letters, digits, hyphens and dots (others as xn--...), or an IP "
          "address");
    }
    at = end + 1;
  }
  return Status::Ok();
}

Result<Host> ParseIpv6(std::string_view text) {
  boost::system::error_code error;
  const std::string inner(text.substr(1, text.size() - 2));
  const auto address = boost::asio::ip::make_address_v6(inner, error);
  if (error || inner.find('%') != std::string::npos) {
    return Status::InvalidArgument("is not an IPv6 address");
  }
  return Host{address.to_string(), IpAddress(address)};
}

// `name` ends in a number, so it is an IPv4 address or a disguise of one.
Result<Host> ParseIpv4(const std::string& name) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v4(name, error);
  if (error || address.to_string() != name) {
    return Status::InvalidArgument("must be a name, or an IPv4 address of four decimal numbers");
  }
  return Host{name, IpAddress(address)};
}

Result<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0 ||
      text.front() == '0') {
    return Status::InvalidArgument("has a port that is not a number from 1 to 65535");
  }
  return port;
}

struct Split {
  std::string_view host;
  std::optional<std::string_view> port;
};

// At the colon that is not part of an IPv6 address.
Split SplitPort(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Result<Host> ParseHost(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') return ParseIpv6(text);
  std::string name = LowerAscii(text);
  if (name.ends_with('.')) name.pop_back();
  if (name.empty()) return Status::InvalidArgument("is missing");
  if (Status status = CheckLabels(name); !status.ok()) return status;
  const std::size_t dot = name.rfind('.');
  if (LooksNumeric(std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1))) {
    return ParseIpv4(name);
  }
  return Host{std::move(name), std::nullopt};
}

Result<HostAndPort> ParseAuthority(std::string_view text) {
  const Split split = SplitPort(text);
  HostAndPort out;
  if (split.port.has_value()) {
    const Result<std::uint16_t> port = ParsePort(*split.port);
    if (!port.ok()) return port.status();
    out.port = *port;
  }
  Result<Host> host = ParseHost(split.host);
  if (!host.ok()) return host.status();
  out.host = *std::move(host);
  return out;
}

Result<HostPattern> HostPattern::Parse(std::string_view text) {
  HostPattern out;
  const Split split = SplitPort(text);
  if (split.host == "*") {
    out.kind_ = Kind::kAny;
    if (!split.port.has_value()) return out;
    const Result<std::uint16_t> port = ParsePort(*split.port);
    if (!port.ok()) return port.status();
    out.port_ = *port;
    return out;
  }
  const bool below = text.starts_with("*.");
  Result<HostAndPort> read = ParseAuthority(below ? text.substr(2) : text);
  if (!read.ok()) return read.status();
  if (below && read->host.address.has_value()) {
    return Status::InvalidArgument("is an address, and there are no names below one");
  }
  out.kind_ = below ? Kind::kBelow : Kind::kExact;
  out.name_ = std::move(read->host.name);
  out.port_ = read->port;
  return out;
}

bool HostPattern::Matches(const Host& host, std::uint16_t port) const {
  if (port_.has_value() ? port != *port_ : port != 80 && port != 443) return false;
  switch (kind_) {
    case Kind::kAny:
      return true;
    case Kind::kExact:
      return host.name == name_;
    case Kind::kBelow:
      return host.name.size() > name_.size() + 1 && host.name.ends_with(name_) &&
             host.name[host.name.size() - name_.size() - 1] == '.';
  }
  return false;
}

}  // namespace xcloud
