#include "http/openapi/components.h"

namespace xcloud {
namespace {

constexpr Component kParameters[] = {
    {"k", R"({"name": "k", "in": "query",
      "description": "Labels to answer with; the service's own number when it is not said.",
      "schema": {"type": "integer", "minimum": 1, "maximum": 1000}})"},
    {"version", R"({"name": "version", "in": "query",
      "description": "Only this version may answer: its number or its label.",
      "schema": {"type": "string", "maxLength": 64}})"},
    {"model_version", R"({"name": "model_version", "in": "query",
      "description": "As version.",
      "schema": {"type": "string", "maxLength": 64}})"},
    {"id", R"({"name": "id", "in": "query", "description": "The row that is asked about.",
      "schema": {"type": "string", "maxLength": 256}})"},
    {"deadline_ms", R"({"name": "deadline_ms", "in": "query",
      "description": "Milliseconds from the first byte; the service's goal when it is not said.",
      "schema": {"type": "integer", "minimum": 1, "maximum": 3600000}})"},
    {"timeout", R"({"name": "timeout", "in": "query",
      "description": "Microseconds from the first byte: shortens whatever deadline there is.",
      "schema": {"type": "integer", "format": "int64", "minimum": 0,
        "maximum": 9223372036854775807}})"},
    {"priority", R"({"name": "priority", "in": "query",
      "description": "high goes before normal before low.",
      "schema": {"$ref": "#/components/schemas/Priority"}})"},
    {"explain", R"({"name": "explain", "in": "query",
      "description": "1: also where the time went.",
      "schema": {"type": "string", "enum": ["0", "1", "true", "false"]}})"},
    {"X-Deadline-Ms", R"({"name": "X-Deadline-Ms", "in": "header",
      "description": "As deadline_ms, and has the last word.",
      "schema": {"type": "integer", "minimum": 1, "maximum": 3600000}})"},
    {"X-Priority", R"({"name": "X-Priority", "in": "header",
      "description": "As priority, and has the last word.",
      "schema": {"$ref": "#/components/schemas/Priority"}})"},
    {"X-Model-Version", R"({"name": "X-Model-Version", "in": "header",
      "description": "As version, and has the last word.",
      "schema": {"type": "string", "maxLength": 64}})"},
    {"X-Request-Id", R"({"name": "X-Request-Id", "in": "header",
      "description": "Comes back, and stands in the call log. Another one is made for a bad one.",
      "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"}})"},
    {"traceparent", R"({"name": "traceparent", "in": "header",
      "description": "W3C Trace Context. Its trace id stands in the call log and in traceresponse.",
      "schema": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}})"},
    {"If-None-Match", R"({"name": "If-None-Match", "in": "header",
      "description": "304 when it names the ETag.",
      "schema": {"type": "string", "pattern": "^\"[0-9a-f]{64}\"$"}})"},
    {"If-Match", R"({"name": "If-Match", "in": "header",
      "description": "412 unless it names the ETag of the version that is current.",
      "schema": {"type": "string", "pattern": "^\"[0-9]{1,9}\"$"}})"},
    {"limit", R"({"name": "limit", "in": "query", "description": "Models a page, 100 at most.",
      "schema": {"type": "integer", "minimum": 1}})"},
    {"next_page_token", R"({"name": "next_page_token", "in": "query",
      "description": "nextPageToken of the page before.",
      "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"}})"},
    {"Inference-Header-Content-Length", R"({
      "name": "Inference-Header-Content-Length", "in": "header",
      "description": "Bytes of JSON in front of the raw tensors.",
      "schema": {"type": "integer", "minimum": 0}})"},
};

constexpr Component kHeaders[] = {
    {"X-Request-Id", R"({"description": "The caller's, or one that was made.",
      "schema": {"type": "string"}})"},
    {"traceresponse", R"({
      "description": "W3C Trace Context, to a traceparent: its trace id, an id of this request.",
      "schema": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}})"},
    {"Server-Timing", R"({"description": "Milliseconds of decode, queue and infer.",
      "schema": {"type": "string"}})"},
    {"Retry-After", R"({"description": "Seconds; with 429 and some 503.",
      "schema": {"type": "integer", "minimum": 1}})"},
    {"Retry-After-Ms", R"({"description": "The same in milliseconds, as it was computed.",
      "schema": {"type": "integer", "minimum": 1}})"},
    {"ETag", R"({"schema": {"type": "string"}})"},
    {"Inference-Header-Content-Length", R"({
      "description": "Bytes of JSON in front of the raw tensors; absent without any.",
      "schema": {"type": "integer", "minimum": 0}})"},
};

constexpr BodyComponent kRequestBodies[] = {
    {"PhotoOrForm", true,
     "multipart/form-data=PhotoForm application/json=PhotoFields "
     "application/x-www-form-urlencoded=PhotoFields image/jpeg image/png image/webp image/bmp "
     "application/octet-stream"},
    {"RowId", false, "application/json=RowId application/x-www-form-urlencoded=RowId"},
    {"BatchingPatch", true, "application/json=BatchingPatch"},
    {"Tensors", true, "application/json=InferRequest application/octet-stream"},
    {"RepositoryIndex", false, "application/json=RepositoryIndexRequest"},
    {"RepositoryChange", false, "application/json=RepositoryChange"},
    {"Logging", true, "application/json=Logging"},
    {"PredictionPhoto", true,
     "multipart/form-data=PredictionForm image/jpeg image/png image/webp image/bmp "
     "application/octet-stream"},
};

constexpr std::string_view kErrorHeaders = "Retry-After Retry-After-Ms";

constexpr ResponseComponent kResponses[] = {
    {"Answer", "What is in the photo.", "application/json=Answer", "Server-Timing"},
    {"GalleryAnswer", "What is in the gallery, or what was changed.", "application/json=Answer",
     "Server-Timing"},
    {"RowOrPage", "The answer, or a page for people.", "text/html application/json=Answer", "ETag"},
    {"Page", "A page for people.", "text/html", "ETag"},
    {"PageOrError", "There is none.", "text/html application/json=Error", "ETag"},
    {"Asset", "The file.", "text/html text/css text/javascript image/svg+xml", "ETag"},
    {"NotModified", "It is as If-None-Match says.", "", "ETag"},
    {"Document", "OpenAPI 3.1.", "application/json=Document"},
    {"Metrics", "Text format 0.0.4.", "text/plain"},
    {"Live", "It runs.", "application/json=Live"},
    {"Ready", "It is ready.", "application/json=Readiness"},
    {"NotReady", "It is not ready.", "application/json=Readiness|Error", kErrorHeaders},
    {"Services", "Sorted by name.", "application/json=Services"},
    {"Service", "The service.", "application/json=Service"},
    {"Devices", "In the order of the configuration.", "application/json=Devices"},
    {"Device", "The device.", "application/json=Device"},
    {"DeviceNotReady", "The device gets no batches.", "application/json=Device|Error",
     kErrorHeaders},
    {"Batching", "As it is now.", "application/json=Batching", "ETag"},
    {"Begun", "It goes on in the background.", "application/json=Begun"},
    {"Error", "Refused.", "application/json=Error", kErrorHeaders},
    // What cannot be read is refused before its path is known: in XCloud's form.
    {"ProtocolError", "Refused.", "application/json=ProtocolError|Error", kErrorHeaders},
    {"TorchServeError", "Refused.", "application/json=TorchServeError|Error", kErrorHeaders},
    {"ServerMetadata", "The server.", "application/json=ServerMetadata"},
    {"Health", "Yes.", "application/json=Health"},
    {"NotHealthy", "No.", "application/json=Health|ProtocolError|Error", kErrorHeaders},
    {"ModelMetadata", "The model.", "application/json=ModelMetadata"},
    {"ModelConfig", "The configuration.", "application/json=ModelConfig"},
    {"ModelStatistics", "Counts, and times in nanoseconds.", "application/json=ModelStatistics"},
    {"Tensors", "The outputs.", "application/json=InferAnswer application/octet-stream",
     "Server-Timing Inference-Header-Content-Length"},
    {"RepositoryIndex", "The models.", "application/json=RepositoryIndex"},
    {"Done", "It is done.", "application/json=Done"},
    {"Logging", "As it is now.", "application/json=Logging"},
    {"Ping", "It is healthy.", "application/json=Ping"},
    {"NotPing", "It is not.", "application/json=Ping|TorchServeError|Error", kErrorHeaders},
    {"Prediction", "What is in the photo.", "application/json=Prediction", "Server-Timing"},
    {"TorchServeModels", "The models.", "application/json=TorchServeModels"},
    {"TorchServeModel", "The model's versions.", "application/json=TorchServeModel"},
};

constexpr Tag kTags[] = {
    {"Inference", "Photo in, labels out."},
    {"Galleries", "What services that search, search in."},
    {"Services and devices", "What is served, and on what."},
    {"Health and metrics", "For load balancers and Prometheus."},
    {"Administration", "For operators."},
    {"Open Inference Protocol", "For clients of Triton and KServe."},
    {"TorchServe", "For clients of TorchServe."},
    {"Pages", "For people."},
};

}  // namespace

std::span<const Component> Parameters() {
  return kParameters;
}
std::span<const Component> Headers() {
  return kHeaders;
}
std::span<const BodyComponent> RequestBodies() {
  return kRequestBodies;
}
std::span<const ResponseComponent> Responses() {
  return kResponses;
}
std::span<const Tag> Tags() {
  return kTags;
}

std::string_view RefusalDescription(int status) {
  switch (status) {
    case 304:
      return "It is as If-None-Match says.";
    case 400:
      return "The request, a field or the photo is malformed.";
    case 403:
      return "Not for this caller; or an imgurl whose host is not allowed.";
    case 404:
      return "There is none of that name or version.";
    case 406:
      return "An Accept-Encoding that leaves none of gzip, deflate and identity.";
    case 408:
      return "The request did not come in time.";
    case 409:
      return "Another version is current than the body names.";
    case 412:
      return "Another version is current than If-Match names.";
    case 413:
      return "The body or the photo is too large.";
    case 415:
      return "Not a type, encoding or image format that is read here.";
    case 417:
      return "An expectation other than 100-continue.";
    case 429:
      return "Too much is waiting, or too many connections are open from this address.";
    case 431:
      return "The request line and headers are too large.";
    case 500:
      return "The server failed.";
    case 501:
      return "A Transfer-Encoding other than chunked, or something that is not supported.";
    case 503:
      return "Not ready, stopping, or full.";
    case 504:
      return "The deadline passed, or would pass.";
    case 505:
      return "Not HTTP/1.0 or HTTP/1.1.";
    default:
      return "Refused.";
  }
}

}  // namespace xcloud
