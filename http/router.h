// Router: from method and path to an endpoint, over a table of rows. Tells "no such path" (404)
// from "that path, another method" (405 with Allow).
//
// Thread safety: constant once made; any thread.
#pragma once

#include <array>
#include <cstddef>
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
  std::string_view pattern;  // "/cv/{service}": a {segment} matches any name; two at most
  Handler handler;
  std::string_view name;  // "POST /cv/{service}": for metrics
};

inline constexpr std::size_t kMaxParameters = 2;

struct RouteMatch {
  const Route* route = nullptr;                             // null: not matched
  std::array<std::string_view, kMaxParameters> parameters;  // what each {segment} matched, as sent
  std::string allow;  // when the path is known: the methods it takes ("GET, HEAD")
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
// That of server.metrics_port: GET /metrics alone.
std::span<const Route> MetricsRoutes();

}  // namespace xcloud
