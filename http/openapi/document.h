// The document at /openapi.json: OpenAPI 3.1, written from the route table and from what is loaded
// now.
//
// /cv/{service} becomes one path a service, with its own words and its answer's own keys, and
// x-state while it is not ready; the other {segments} list the names that there are. A row of the
// route table that has another row's name is an alias of it and is not listed.
// Thread safety: pure functions; any thread. Takes about 0.2 ms: a scrape's worth, so it is not
// kept between requests.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference_service.h"
#include "http/router.h"
#include "http/web_assets.h"

namespace xcloud {

struct OpenApiSource {
  std::span<const Route> routes;
  std::vector<ServiceInfoPtr> services;
  std::vector<DeviceHealth> devices;
  std::span<const WebAsset> assets;
};

// A route without a row in the operations is left out (the test of the tables fails for it).
std::string WriteOpenApi(const OpenApiSource& source);

}  // namespace xcloud
