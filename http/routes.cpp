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
    // As the first XCloud had it: /cv/mcloud/skin.
    {Verb::kPost, "/cv/mcloud/{service}", HandleInfer, "POST /cv/mcloud/{service}"},
    {Verb::kPut, "/cv/mcloud/{service}", HandleInfer, "PUT /cv/mcloud/{service}"},
    {Verb::kGet, "/cv/mcloud/{service}", HandleServicePage, "GET /cv/mcloud/{service}"},
    // What a service that searches, searches in.
    {Verb::kGet, "/cv/{service}/gallery", HandleGallery, "GET /cv/{service}/gallery"},
    {Verb::kPut, "/cv/{service}/gallery/{id}", HandleEnrol, "PUT /cv/{service}/gallery/{id}"},
    {Verb::kPost, "/cv/{service}/gallery/{id}", HandleEnrol, "POST /cv/{service}/gallery/{id}"},
    {Verb::kDelete, "/cv/{service}/gallery/{id}", HandleRemoveEntry,
     "DELETE /cv/{service}/gallery/{id}"},
    {Verb::kPost, "/dm/{service}", HandleRow, "POST /dm/{service}"},
    {Verb::kGet, "/dm/{service}", HandleRowPage, "GET /dm/{service}"},
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
    // The Open Inference Protocol (KServe v2, Triton). The first row that matches wins.
    {Verb::kGet, "/v2", HandleV2Server, "GET /v2"},
    {Verb::kGet, "/v2/health/live", HandleV2Live, "GET /v2/health/live"},
    {Verb::kGet, "/v2/health/ready", HandleV2Ready, "GET /v2/health/ready"},
    {Verb::kGet, "/v2/models/stats", HandleV2AllStats, "GET /v2/models/stats"},
    {Verb::kGet, "/v2/models/{model}", HandleV2Model, "GET /v2/models/{model}"},
    {Verb::kGet, "/v2/models/{model}/versions/{version}", HandleV2Model,
     "GET /v2/models/{model}/versions/{version}"},
    {Verb::kGet, "/v2/models/{model}/ready", HandleV2ModelReady, "GET /v2/models/{model}/ready"},
    {Verb::kGet, "/v2/models/{model}/versions/{version}/ready", HandleV2ModelReady,
     "GET /v2/models/{model}/versions/{version}/ready"},
    {Verb::kGet, "/v2/models/{model}/config", HandleV2ModelConfig, "GET /v2/models/{model}/config"},
    {Verb::kGet, "/v2/models/{model}/versions/{version}/config", HandleV2ModelConfig,
     "GET /v2/models/{model}/versions/{version}/config"},
    {Verb::kGet, "/v2/models/{model}/stats", HandleV2ModelStats, "GET /v2/models/{model}/stats"},
    {Verb::kGet, "/v2/models/{model}/versions/{version}/stats", HandleV2ModelStats,
     "GET /v2/models/{model}/versions/{version}/stats"},
    {Verb::kPost, "/v2/repository/index", HandleV2Index, "POST /v2/repository/index"},
    {Verb::kPost, "/v2/repository/{repository}/index", HandleV2RepositoryIndex,
     "POST /v2/repository/{repository}/index"},
    // Load and unload are for those whom CheckAdminAccess lets in.
    {Verb::kPost, "/v2/repository/models/{model}/load", HandleV2Load,
     "POST /v2/repository/models/{model}/load"},
    {Verb::kPost, "/v2/repository/models/{model}/unload", HandleV2Unload,
     "POST /v2/repository/models/{model}/unload"},
    // A client that names no model: told so in words.
    {Verb::kPost, "/v2/repository/models//load", HandleV2Load,
     "POST /v2/repository/models/{model}/load"},
    {Verb::kPost, "/v2/repository/models//unload", HandleV2Unload,
     "POST /v2/repository/models/{model}/unload"},
    {Verb::kGet, "/v2/logging", HandleV2Logging, "GET /v2/logging"},
    {Verb::kPost, "/v2/logging", HandleV2ChangeLogging, "POST /v2/logging"},
    {Verb::kGet, "/v2/trace/setting", HandleV2Trace, "GET /v2/trace/setting"},
    {Verb::kPost, "/v2/trace/setting", HandleV2Trace, "POST /v2/trace/setting"},
    {Verb::kGet, "/v2/models/{model}/trace/setting", HandleV2Trace,
     "GET /v2/models/{model}/trace/setting"},
    {Verb::kPost, "/v2/models/{model}/trace/setting", HandleV2Trace,
     "POST /v2/models/{model}/trace/setting"},
    // TorchServe.
    {Verb::kGet, "/ping", HandlePing, "GET /ping"},
    {Verb::kPost, "/predictions/{model}", HandlePrediction, "POST /predictions/{model}"},
    {Verb::kPut, "/predictions/{model}", HandlePrediction, "PUT /predictions/{model}"},
    {Verb::kPost, "/predictions/{model}/{version}", HandlePrediction,
     "POST /predictions/{model}/{version}"},
    {Verb::kPut, "/predictions/{model}/{version}", HandlePrediction,
     "PUT /predictions/{model}/{version}"},
    {Verb::kGet, "/models", HandleModelList, "GET /models"},
    {Verb::kGet, "/models/{model}", HandleModelDescription, "GET /models/{model}"},
    {Verb::kGet, "/models/{model}/{version}", HandleModelDescription,
     "GET /models/{model}/{version}"},
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
