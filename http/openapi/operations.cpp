// What /openapi.json says about XCloud's own routes: one row an operation.
#include "http/openapi/operation.h"

namespace xcloud {
namespace {

constexpr std::string_view kInferDetail =
    "The photo is the body itself or a part of a form. `deadline_ms` counts from the request's "
    "first byte, and the answer is 504 at its instant; a request that cannot be answered by then "
    "is refused at once, with 429.";
constexpr std::string_view kInferParameters =
    "k version model_version deadline_ms timeout priority explain X-Deadline-Ms X-Priority "
    "X-Model-Version X-Request-Id traceparent";
constexpr std::string_view kInferRefusals = "403 404 413 415 504";
constexpr std::string_view kAdminDetail =
    "Who may call it is `[server] admin`; by default callers on this machine that no proxy "
    "forwards.";

constexpr std::string_view kGalleryDetail =
    "For whoever `[server] admin` lets at /admin: a gallery may hold people. 404 where the service "
    "keeps none.";
constexpr std::string_view kRowParameters =
    "deadline_ms timeout priority explain X-Deadline-Ms X-Priority X-Request-Id traceparent";

constexpr Operation kOperations[] = {
    {.route = "POST /cv/{service}",
     .tag = "Inference",
     .summary = "Ask about a photo",
     .detail = kInferDetail,
     .parameters = kInferParameters,
     .body = "PhotoOrForm",
     .answer = "Answer",
     .refusals = kInferRefusals},
    {.route = "PUT /cv/{service}",
     .tag = "Inference",
     .summary = "Ask about a photo, as curl -T sends it",
     .detail = kInferDetail,
     .parameters = kInferParameters,
     .body = "PhotoOrForm",
     .answer = "Answer",
     .refusals = kInferRefusals},
    {.route = "GET /cv/{service}",
     .tag = "Pages",
     .summary = "Page to try it",
     .parameters = "If-None-Match",
     .answer = "Page",
     .refusals = "304 404"},
    {.route = "GET /cv/{service}/gallery",
     .tag = "Galleries",
     .summary = "What is in a service's gallery",
     .detail = kGalleryDetail,
     .parameters = kRowParameters,
     .answer = "GalleryAnswer",
     .refusals = kInferRefusals},
    {.route = "PUT /cv/{service}/gallery/{id}",
     .tag = "Galleries",
     .summary = "Enrol a photo, in place of the entry of that name",
     .detail = kGalleryDetail,
     .parameters = kInferParameters,
     .body = "PhotoOrForm",
     .answer = "GalleryAnswer",
     .refusals = kInferRefusals},
    {.route = "POST /cv/{service}/gallery/{id}",
     .tag = "Galleries",
     .summary = "As PUT",
     .detail = kGalleryDetail,
     .parameters = kInferParameters,
     .body = "PhotoOrForm",
     .answer = "GalleryAnswer",
     .refusals = kInferRefusals},
    {.route = "DELETE /cv/{service}/gallery/{id}",
     .tag = "Galleries",
     .summary = "Take an entry out",
     .detail = kGalleryDetail,
     .parameters = kRowParameters,
     .answer = "GalleryAnswer",
     .refusals = kInferRefusals},
    {.route = "POST /dm/{service}",
     .tag = "Inference",
     .summary = "Ask about a row of data, by its id",
     .parameters = "id "
                   "deadline_ms timeout priority explain X-Deadline-Ms X-Priority "
                   "X-Request-Id traceparent",
     .body = "RowId",
     .answer = "Answer",
     .refusals = kInferRefusals},
    {.route = "GET /dm/{service}",
     .tag = "Pages",
     .summary = "Page to try it; with an id, the same as POST",
     .parameters = "id If-None-Match",
     .answer = "RowOrPage",
     .refusals = "304 403 404 413 415 504"},
    {.route = "GET /livez",
     .tag = "Health and metrics",
     .summary = "Whether the process runs",
     .answer = "Live"},
    {.route = "GET /readyz",
     .tag = "Health and metrics",
     .summary = "Whether requests should come here",
     .answer = "Ready",
     .not_ready = "NotReady"},
    {.route = "GET /metrics",
     .tag = "Health and metrics",
     .summary = "Metrics, as Prometheus text",
     .detail = "404 where `[server] metrics` is false. `[server] metrics_port` serves it too.",
     .answer = "Metrics",
     .refusals = "404"},
    {.route = "GET /api/services",
     .tag = "Services and devices",
     .summary = "Every service and its state",
     .answer = "Services"},
    {.route = "GET /api/services/{name}",
     .tag = "Services and devices",
     .summary = "One service",
     .answer = "Service",
     .refusals = "404"},
    {.route = "GET /api/devices",
     .tag = "Services and devices",
     .summary = "Every device and its state",
     .answer = "Devices"},
    {.route = "GET /api/devices/{name}",
     .tag = "Services and devices",
     .summary = "One device",
     .detail = "503 while it gets no batches.",
     .answer = "Device",
     .refusals = "404",
     .not_ready = "DeviceNotReady"},
    {.route = "GET /admin/models/{name}/batching",
     .tag = "Administration",
     .summary = "A model's batching, and how it came to be",
     .detail = kAdminDetail,
     .answer = "Batching",
     .refusals = "403 404"},
    {.route = "PATCH /admin/models/{name}/batching",
     .tag = "Administration",
     .summary = "Change a model's batching while it serves",
     .detail = kAdminDetail,
     .parameters = "If-Match",
     .body = "BatchingPatch",
     .answer = "Batching",
     .refusals = "403 404 409 412 413 415"},
    {.route = "POST /admin/models/{name}/load",
     .tag = "Administration",
     .summary = "Begin to load the versions that a model's folder says",
     .detail = kAdminDetail,
     .answer = "Begun",
     .success = 202,
     .refusals = "403 404"},
    {.route = "POST /admin/models/{name}/unload",
     .tag = "Administration",
     .summary = "Begin to take a model out",
     .detail = kAdminDetail,
     .answer = "Begun",
     .success = 202,
     .refusals = "403 404"},
    {.route = "GET /",
     .tag = "Pages",
     .summary = "Page with the list of services",
     .parameters = "If-None-Match",
     .answer = "Page",
     .refusals = "304"},
    {.route = "GET /docs",
     .tag = "Pages",
     .summary = "Page to read and try this document",
     .parameters = "If-None-Match",
     .answer = "Page",
     .refusals = "304"},
    {.route = "GET /openapi.json",
     .tag = "Pages",
     .summary = "This document, about what is loaded now",
     .answer = "Document"},
    {.route = "GET /assets/{name}",
     .tag = "Pages",
     .summary = "A file of the pages",
     .parameters = "If-None-Match",
     .answer = "Asset",
     .refusals = "304 404"},
};

}  // namespace

std::span<const Operation> OwnOperations() {
  return kOperations;
}

const Operation* FindOperation(std::string_view route) {
  for (const auto rows : {OwnOperations(), ProtocolOperations()}) {
    for (const Operation& row : rows) {
      if (row.route == route) return &row;
    }
  }
  return nullptr;
}

}  // namespace xcloud
