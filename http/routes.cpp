// The route table: one row an endpoint.
#include "http/endpoints/endpoints.h"
#include "http/router.h"

namespace xcloud {
namespace {

constexpr Route kRoutes[] = {
    {Verb::kPost, "/cv/{service}", HandleInfer, "POST /cv/{service}"},
    // `curl -T photo.jpg URL` sends PUT.
    {Verb::kPut, "/cv/{service}", HandleInfer, "PUT /cv/{service}"},
    {Verb::kGet, "/cv/{service}", HandleServicePage, "GET /cv/{service}"},
    // As the first XCloud had it: /cv/mcloud/skin.
    {Verb::kPost, "/cv/mcloud/{service}", HandleInfer, "POST /cv/mcloud/{service}"},
    {Verb::kPut, "/cv/mcloud/{service}", HandleInfer, "PUT /cv/mcloud/{service}"},
    {Verb::kGet, "/cv/mcloud/{service}", HandleServicePage, "GET /cv/mcloud/{service}"},
    {Verb::kGet, "/livez", HandleLive, "GET /livez"},
    {Verb::kGet, "/readyz", HandleReady, "GET /readyz"},
    {Verb::kGet, "/metrics", HandleMetrics, "GET /metrics"},
    {Verb::kGet, "/api/services", HandleServiceList, "GET /api/services"},
    {Verb::kGet, "/api/services/{name}", HandleService, "GET /api/services/{name}"},
    {Verb::kGet, "/api/devices", HandleDeviceList, "GET /api/devices"},
    {Verb::kGet, "/api/devices/{name}", HandleDevice, "GET /api/devices/{name}"},
    // What begins with kAdminPath is for those whom CheckAdminAccess lets in.
    {Verb::kGet, "/admin/models/{name}/batching", HandleBatching,
     "GET /admin/models/{name}/batching"},
    {Verb::kPatch, "/admin/models/{name}/batching", HandleChangeBatching,
     "PATCH /admin/models/{name}/batching"},
    {Verb::kPost, "/admin/models/{name}/load", HandleLoad, "POST /admin/models/{name}/load"},
    {Verb::kPost, "/admin/models/{name}/unload", HandleUnload, "POST /admin/models/{name}/unload"},
    {Verb::kGet, "/", HandleIndexPage, "GET /"},
    {Verb::kGet, "/assets/{name}", HandleAsset, "GET /assets/{name}"},
};

}  // namespace

std::span<const Route> Routes() {
  return kRoutes;
}

}  // namespace xcloud
