// The route table: one row an endpoint.
#include "http/endpoints/endpoints.h"
#include "http/router.h"

namespace xcloud {
namespace {

constexpr Route kMetricsRoute = {Verb::kGet, "/metrics", HandleMetrics, "GET /metrics"};

constexpr Route kRoutes[] = {
    {Verb::kPost, "/cv/{service}", HandleInfer, "POST /cv/{service}"},
    // `curl -T photo.jpg URL` sends PUT.
    {Verb::kPut, "/cv/{service}", HandleInfer, "PUT /cv/{service}"},
    {Verb::kGet, "/cv/{service}", HandleServicePage, "GET /cv/{service}"},
    {Verb::kGet, "/livez", HandleLive, "GET /livez"},
    {Verb::kGet, "/readyz", HandleReady, "GET /readyz"},
    kMetricsRoute,
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
    {Verb::kPost, "/v2/models/{model}/infer", HandleV2Infer, "POST /v2/models/{model}/infer"},
    {Verb::kPost, "/v2/models/{model}/versions/{version}/infer", HandleV2Infer,
     "POST /v2/models/{model}/versions/{version}/infer"},
    {Verb::kGet, "/", HandleIndexPage, "GET /"},
    {Verb::kGet, "/docs", HandleDocsPage, "GET /docs"},
    {Verb::kGet, "/openapi.json", HandleOpenApi, "GET /openapi.json"},
    {Verb::kGet, "/assets/{name}", HandleAsset, "GET /assets/{name}"},
};

}  // namespace

std::span<const Route> Routes() {
  return kRoutes;
}

std::span<const Route> MetricsRoutes() {
  return {&kMetricsRoute, 1};
}

}  // namespace xcloud
