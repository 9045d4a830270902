// POST /v2/models/{model}/infer and /v2/models/{model}/versions/{version}/infer: the Open Inference
// Protocol's inference, with Triton's binary tensors and raw requests.
//
// Refusals in order of what they cost: model, version, type and length from the header; then the
// service is asked; then the body is read, and what it says is checked.
#include <optional>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/inference.h"
#include "http/media_type.h"
#include "http/v2/infer_answer.h"
#include "http/v2/infer_request.h"

namespace xcloud {
namespace {

constexpr std::string_view kLengthHeader = "inference-header-content-length";

// This door's log rows repeat the HTTP status; code 1, a bad image, is XCloud's own.
Response Refuse(RequestContext& context, HttpError error) {
  error.code = error.status;
  return RefuseCall(context, error);
}

HttpError UnknownModel(const std::string& name, const std::string& version) {
  const std::string which = version.empty() ? "" : " version " + version;
  return MakeHttpError(404, "Request for unknown model: '" + name + "'" + which + " is not found");
}

// In the words that Triton's clients know; 413 and not its 400.
HttpError TooLarge(const BodyReader& body, std::uint64_t length) {
  const std::string size = length == 0 ? "" : " of " + std::to_string(length) + " bytes";
  return MakeHttpError(413, "request body size" + size +
                                " exceeds the maximum allowed input size of " +
                                std::to_string(body.limit_bytes()) +
                                " bytes. Use --http-max-input-size to increase the limit. (Here: "
                                "[server] v2_body_limit_bytes.)");
}

// Clients send whatever their library makes of bytes, so only what cannot be meant is refused.
std::optional<HttpError> CheckType(const RequestHead& head) {
  const auto type = ParseMediaType(head.Header("content-type"));
  if (!type) return std::nullopt;
  const bool photo = type->value.starts_with("image/") && !head.Has(kLengthHeader);
  if (!photo && !type->value.starts_with("multipart/")) return std::nullopt;
  return MakeHttpError(
      415,
      "send JSON, or JSON and binary tensors with Inference-Header-Content-Length; for a photo as "
      "the body set that header to 0. This request's Content-Type is '" +
          type->value.substr(0, 100) + "'");
}

std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options) {
  if (!options.version.empty() && !info.version.empty() && options.version != info.version) {
    return UnknownModel(info.name, options.version);
  }
  if (auto error = CheckType(context.head)) return error;
  const Status status = ApplyInferHeaders(context.head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  context.body.LimitTo(static_cast<std::uint64_t>(context.server().config.v2_body_limit_bytes));
  if (context.body.CheckLength()) return TooLarge(context.body, context.head.content_length);
  return AdmitCall(context, options, info);
}

Result<V2Request> Parse(const RequestContext& context, const SharedBytes& body,
                        const ServiceInfo& info) {
  std::optional<std::size_t> json_bytes;
  if (context.head.Has(kLengthHeader)) {
    const auto length = ParseInferenceHeaderLength(context.head.Header(kLengthHeader), body.size());
    if (!length.ok()) return length.status();
    json_bytes = *length;
  }
  return ParseV2Request(body, json_bytes, info, context.body.limit_bytes());
}

// What the body says, where the headers did not say it before.
void ApplyBody(const V2Request& request, InferOptions& options) {
  options.timeout_us = request.timeout_us > kMaxDeadlineMs * 1000 ? 0 : request.timeout_us;
  if (!options.priority) options.priority = request.priority;
}

Response Answer(RequestContext& context, const V2Request& request, const ServiceInfo& info,
                const InferenceResult& result) {
  auto response = WriteV2Answer(request, info, result);
  if (!response.ok()) return Refuse(context, ToHttpError(response.status()));
  response->headers.emplace_back("Server-Timing", ServerTiming(result.stages));
  return *std::move(response);
}

}  // namespace

Task<Response> HandleV2Infer(RequestContext& context) {
  BeginCall(context, "v2/" + context.parameter);
  const ServiceInfoPtr info = FindService(context, context.parameter);
  InferOptions options;
  options.version = context.parameter2;
  if (info == nullptr) {
    co_return Refuse(context, UnknownModel(context.parameter, options.version));
  }
  if (const auto error = CheckHead(context, *info, options)) {
    co_return Refuse(context, *error);
  }
  SharedBytes body;
  const std::optional<HttpError> unread =
      co_await context.body.ReadAll(body, DeadlineOf(context, options, *info));
  if (unread) {
    co_return Refuse(context, unread->status == 413 ? TooLarge(context.body, 0) : *unread);
  }
  auto parsed = Parse(context, body, *info);
  if (!parsed.ok()) co_return Refuse(context, ToHttpError(parsed.status()));
  ApplyBody(*parsed, options);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.answer = AnswerKind::kTensors;
  request.inputs = std::move(parsed->inputs);
  body = {};  // from here on the inputs alone hold its buffer
  const CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return Refuse(context, *answer.error);
  co_return Answer(context, *parsed, *info, answer.result);
}

}  // namespace xcloud
