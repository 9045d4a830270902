// Address policy: which IP addresses photos may be fetched from. Only addresses of the public
// internet: never this machine, its networks, or what a cloud answers on for its own guests.
//
// The ranges are those of IANA's special-purpose address registries (IPv4, IPv6) that are not
// globally reachable, plus multicast and what clouds put elsewhere. In IPv6 the rule is the other
// way round: only 2000::/3 is public, less what is set apart in it. A form that carries an IPv4
// address to its network (mapped, NAT64) is judged by that address; transition forms that nobody
// serves photos from (compatible, translated, 6to4, Teredo, ISATAP) are refused whole.
// Not known here: addresses that this site alone uses for itself out of public space, and NAT64
// prefixes other than the well-known one; a firewall has to know those.
//
// Pure functions, any thread.
#pragma once

#include <string_view>

#include "http/fetch/fetch_seams.h"

namespace xcloud {

// "loopback", "private", ...: why nothing is fetched from the address; empty when it is public.
// For the debug log and tests, not for callers or /metrics: it would tell them where a name leads.
std::string_view WhyRefused(const IpAddress& address);

}  // namespace xcloud
