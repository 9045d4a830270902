// Router: from method and path to an endpoint, over a table of rows. Tells "no such path" (404)
// from "that path, another method" (405 with Allow).
//
// Thread safety: constant once made; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/asio_types.h"
#include "http/head_parser.h"
#include "http/response.h"

namespace xcloud {

struct RequestContext;

// An endpoint: a coroutine on the connection's io thread. It must not block.
using Handler = Task<Response> (*)(RequestContext& context);

struct Route {
  Verb verb;
  std::string_view pattern;  // "/cv/{service}": one {segment} at most, which matches any name
  Handler handler;
  std::string_view name;  // "POST /cv/{service}": for metrics
};

struct RouteMatch {
  const Route* route = nullptr;  // null: not matched
  std::string_view parameter;    // what {segment} matched, as sent
  std::string allow;             // when the path is known: the methods it takes ("GET, HEAD")
};

class Router {
 public:
  // `routes` must outlive the router.
  explicit Router(std::span<const Route> routes) : routes_(routes) {}

  // HEAD goes where GET goes.
  RouteMatch Match(Verb verb, std::string_view path) const;

 private:
  std::span<const Route> routes_;
};

// The server's own table.
std::span<const Route> Routes();

}  // namespace xcloud
