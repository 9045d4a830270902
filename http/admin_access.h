// AdminAccess: who may use /admin, told from the connection and the header alone.
//
// Two callers must be kept out besides strangers: whoever comes through a proxy on this machine
// (it makes everyone look local), and a web page in an operator's browser. The page of another
// site gives itself away by Origin; one whose name was pointed at this machine (DNS rebinding) by
// a Host that is a name.
// Thread safety: values and pure functions; CallerOf on the connection's io thread.
#pragma once

#include <optional>
#include <string_view>

#include "http/connection.h"
#include "http/head_parser.h"
#include "http/status_mapping.h"

namespace xcloud {

inline constexpr std::string_view kAdminPath = "/admin/";

struct AdminCaller {
  bool on_loopback = false;  // its address is of this machine
  bool forwarded = false;    // a proxy says that it speaks for another
  std::string_view host;
  std::optional<std::string_view> origin;  // browsers send it with all but plain GETs
};
AdminCaller CallerOf(const Connection& connection, const RequestHead& head);

// `mode`: server.admin, "loopback" or "any". 403 in words, or nothing when the caller may. `what`
// is asked for, as it stands in those words.
std::optional<HttpError> CheckAdminAccess(std::string_view mode, const AdminCaller& caller,
                                          std::string_view what = "/admin");

}  // namespace xcloud
