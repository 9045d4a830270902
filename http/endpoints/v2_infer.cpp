// POST /v2/models/{model}/infer and /v2/models/{model}/versions/{version}/infer: the Open Inference
// Protocol's inference, with Triton's binary tensors and raw requests.
//
// Refusals in order of what they cost: model, version, type and length from the header; then the
// service is asked; then the body is read, and what it says is checked.
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/inference.h"
#include "http/long_work.h"
#include "http/media_type.h"
#include "http/v2/infer_answer.h"
#include "http/v2/infer_request.h"
#include "http/v2/model_lookup.h"

namespace xcloud {
namespace {

constexpr std::string_view kLengthHeader = "inference-header-content-length";
// JSON that is read on the io thread: at most 1.6 ms of it (25 ms a MB of short numbers).
constexpr std::size_t kMaxQuickJson = 64 * 1024;

// This door's log rows repeat the HTTP status; code 1, a bad image, is XCloud's own.
Response Refuse(RequestContext& context, HttpError error) {
  error.code = error.status;
  return RefuseCall(context, error);
}

// In the words that Triton's clients know.
std::string TooLargeWords(std::uint64_t limit, std::string_view key) {
  return "the request body exceeds the maximum allowed input size of " + std::to_string(limit) +
         " bytes. Use --http-max-input-size to increase the limit. (Here: [server] " +
         std::string(key) + ".)";
}

HttpError TooLargeJson(std::uint64_t limit) {
  return MakeHttpError(413, TooLargeWords(limit, "v2_json_limit_bytes"));
}

// The limits of this door; 413 and not Triton's 400. Without a length in the header the body is
// JSON, of which less is taken.
void LimitBody(RequestContext& context) {
  const ServerConfig& config = context.server().config;
  auto limit = static_cast<std::uint64_t>(config.v2_body_limit_bytes);
  std::string_view key = "v2_body_limit_bytes";
  if (!context.head.Has(kLengthHeader) && config.v2_json_limit_bytes < config.v2_body_limit_bytes) {
    limit = static_cast<std::uint64_t>(config.v2_json_limit_bytes);
    key = "v2_json_limit_bytes";
  }
  context.body.LimitTo(limit, TooLargeWords(limit, key));
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
  if (auto error = CheckType(context.head)) return error;
  const Status status = ApplyInferHeaders(context.head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  if (!context.parameter2.empty()) options.version = context.parameter2;  // the route's wins
  LimitBody(context);
  return AdmitCall(context, options, info);
}

// The body's words into `request`, or why not. What is long is read beside the io thread.
Task<std::optional<HttpError>> ReadRequest(RequestContext& context, const InferOptions& options,
                                           const ServiceInfoPtr& info, SharedBytes body,
                                           V2Request& request) {
  std::optional<std::size_t> json_bytes;
  if (context.head.Has(kLengthHeader)) {
    const auto length = ParseInferenceHeaderLength(context.head.Header(kLengthHeader), body.size());
    if (!length.ok()) co_return ToHttpError(length.status());
    json_bytes = *length;
  }
  const ServerConfig& config = context.server().config;
  const std::size_t json_size = json_bytes.value_or(body.size());
  const auto json_limit = static_cast<std::uint64_t>(config.v2_json_limit_bytes);
  if (json_size > json_limit) co_return TooLargeJson(json_limit);
  const TimePoint give_up_at = PatienceOf(context, options, *info);
  std::function<Result<V2Request>()> read =
      [body = std::move(body), json_bytes, info,
       limit = static_cast<std::uint64_t>(config.v2_body_limit_bytes)] {
        return ParseV2Request(body, json_bytes, *info, limit);
      };
  WaitOutcome<Result<V2Request>> parsed = co_await WorkAsideIf<V2Request>(
      json_size > kMaxQuickJson, context.worker, context.connection, give_up_at, std::move(read));
  if (!parsed.value) co_return NotAnswered(parsed.end);
  if (!parsed.value->ok()) co_return ToHttpError(parsed.value->status());
  request = **std::move(parsed.value);
  co_return std::nullopt;
}

// What the body says, where the route and the headers did not say it before. A version that only
// the body names is looked up now; its inputs are those of every version of the model.
std::optional<HttpError> ApplyBody(RequestContext& context, const V2Request& request,
                                   InferOptions& options, ServiceInfoPtr& info) {
  options.timeout_us = request.timeout_us > kMaxDeadlineMs * 1000 ? 0 : request.timeout_us;
  if (!options.priority) options.priority = request.priority;
  if (!options.version.empty() || request.version.empty()) return std::nullopt;
  options.version = request.version;
  return FindModelVersion(context, request.version, info);
}

// The answer; one of many numbers is written beside the io thread.
Task<Response> WriteAnswer(RequestContext& context, const InferOptions& options,
                           const ServiceInfoPtr& info, V2Request request, InferenceResult result) {
  const std::string timing = ServerTiming(result.stages);
  const TimePoint give_up_at = PatienceOf(context, options, *info);
  const bool is_long = IsLongV2Answer(request, result);
  std::function<Result<Response>()> write = [request = std::move(request), info,
                                             result = std::move(result)] {
    return WriteV2Answer(request, *info, result);
  };
  WaitOutcome<Result<Response>> written = co_await WorkAsideIf<Response>(
      is_long, context.worker, context.connection, give_up_at, std::move(write));
  if (!written.value) co_return Refuse(context, NotAnswered(written.end));
  if (!written.value->ok()) co_return Refuse(context, ToHttpError(written.value->status()));
  Response response = **std::move(written.value);
  response.headers.emplace_back("Server-Timing", timing);
  co_return response;
}

}  // namespace

Task<Response> HandleV2Infer(RequestContext& context) {
  BeginCall(context, "v2/" + context.parameter);
  ServiceInfoPtr info;
  if (const auto error = FindModel(context, info)) co_return Refuse(context, *error);
  context.call_record->model = info->name;
  InferOptions options;
  if (const auto error = CheckHead(context, *info, options)) {
    co_return Refuse(context, *error);
  }
  SharedBytes body;
  const std::optional<HttpError> unread =
      co_await context.body.ReadAll(body, DeadlineOf(context, options, *info));
  if (unread) co_return Refuse(context, *unread);
  V2Request parsed;
  const std::optional<HttpError> unparsed =
      co_await ReadRequest(context, options, info, std::move(body), parsed);
  if (unparsed) co_return Refuse(context, *unparsed);
  if (const auto error = ApplyBody(context, parsed, options, info)) {
    co_return Refuse(context, *error);
  }
  InferenceRequest request = MakeRequest(context, options, *info);
  request.answer = AnswerKind::kTensors;
  request.inputs = std::move(parsed.inputs);
  CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return Refuse(context, *answer.error);
  Response response =
      co_await WriteAnswer(context, options, info, std::move(parsed), std::move(answer.result));
  co_return response;
}

}  // namespace xcloud
