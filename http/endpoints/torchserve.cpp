// TorchServe's inference API: GET /ping, POST and PUT /predictions/{model}[/{version}].
//
// The photo is the body itself (curl -T x.jpg) or a file of a form (curl -F data=@x.jpg). The
// answer is that of TorchServe's image_classifier: {"label":probability,...}, the five likeliest;
// of a service that has an answer of its own, that value.
#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "http/answer_json.h"
#include "http/answer_value_json.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/inference.h"
#include "http/json_writer.h"
#include "http/media_type.h"
#include "http/multipart.h"

namespace xcloud {
namespace {

constexpr int kTopK = 5;
constexpr int kDecimals = 7;  // of a float's precision

// The form's boundary; empty when the body is the photo.
std::optional<HttpError> ReadBoundary(const RequestHead& head, std::string& boundary) {
  const std::string_view header = head.Header("content-type");
  if (header.empty()) return std::nullopt;
  const auto type = ParseMediaType(header);
  if (!type) return MakeHttpError(400, "the Content-Type header is malformed");
  if (type->value != "multipart/form-data") return std::nullopt;
  Result<std::string> found = BoundaryOf(*type);
  if (!found.ok()) return MakeHttpError(400, found.status().message());
  boundary = *std::move(found);
  return std::nullopt;
}

// The names that TorchServe's handlers read; else whichever part is the only file.
const Part* FindPhoto(const std::vector<Part>& parts) {
  for (const std::string_view name : {"data", "body"}) {
    if (const Part* part = FindPart(parts, name)) return part;
  }
  const Part* only = nullptr;
  for (const Part& part : parts) {
    if (part.filename.empty()) continue;
    if (only != nullptr) return nullptr;
    only = &part;
  }
  return only;
}

std::optional<HttpError> TakePhoto(const std::string& boundary, SharedBytes& body) {
  if (!boundary.empty()) {
    const auto parts = ParseMultipart(body.view(), boundary);
    if (!parts.ok()) return BadImage(parts.status().message());
    const Part* photo = FindPhoto(*parts);
    if (photo == nullptr) {
      return BadImage("the form needs a part named 'data' or 'body', or exactly one file");
    }
    body = body.Slice(photo->data);
  }
  if (body.empty()) return BadImage("there is no photo in the request: its body is empty");
  return std::nullopt;
}

std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options, std::string& boundary) {
  if (auto error = ReadBoundary(context.head, boundary)) return error;
  options.top_k = kTopK;
  Status status = ApplyInferQuery(context.query, options);
  if (status.ok()) status = ApplyInferHeaders(context.head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  if (!context.parameter2.empty()) options.version = context.parameter2;
  return AdmitCall(context, options, info);
}

// Two rows of a model may have one name; an object can hold it once, for the likelier.
Response Answer(const InferenceResult& result) {
  Response response;
  JsonWriter json(response.body);
  if (result.value) {
    WriteValue(json, *result.value);
    response.headers.emplace_back("Server-Timing", ServerTiming(result.stages));
    return response;
  }
  json.BeginObject();
  std::vector<std::string_view> written;
  for (const Prediction& prediction : result.predictions) {
    if (std::find(written.begin(), written.end(), prediction.label) != written.end()) continue;
    written.emplace_back(prediction.label);
    json.Key(prediction.label).Fixed(prediction.probability, kDecimals);
  }
  json.EndObject();
  response.headers.emplace_back("Server-Timing", ServerTiming(result.stages));
  return response;
}

}  // namespace

Task<Response> HandlePing(RequestContext& context) {
  const bool healthy = context.server().Ready().ok();
  Response response =
      JsonResponse(healthy ? R"({"status":"Healthy"})" : R"({"status":"Unhealthy"})");
  response.status = healthy ? 200 : 503;
  co_return response;
}

Task<Response> HandlePrediction(RequestContext& context) {
  BeginCall(context, "predictions/" + context.parameter);
  const ServiceInfoPtr info = FindService(context, context.parameter);
  if (info == nullptr) {
    co_return RefuseCall(context, MakeHttpError(404, "Model not found: " + context.parameter));
  }
  InferOptions options;
  std::string boundary;
  if (const auto error = CheckHead(context, *info, options, boundary)) {
    co_return RefuseCall(context, *error);
  }
  SharedBytes photo;
  std::optional<HttpError> error =
      co_await context.body.ReadAll(photo, DeadlineOf(context, options, *info));
  if (!error) error = TakePhoto(boundary, photo);
  if (error) co_return RefuseCall(context, *error);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.image = std::move(photo);
  const CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return Answer(answer.result);
}

}  // namespace xcloud
