// POST /dm/{service}: an answer about a row of data, which `id` names: in the query, in a form, or
// in a JSON object. GET with an id is the same; without one it is the page.
#include <optional>
#include <string>
#include <utility>

#include "http/endpoints/endpoints.h"
#include "http/endpoints/photo_call.h"
#include "http/media_type.h"
#include "http/query.h"
#include "http/v2/json_document.h"

namespace xcloud {
namespace {

constexpr std::uint64_t kMaxRowBytes = 16 * 1024;  // of the body
constexpr std::size_t kMaxIdBytes = 256;
constexpr std::string_view kNoId =
    "name the row by its id: ?id=7, a form field 'id', or {\"id\": \"7\"} as application/json";

// Of a query or of a urlencoded form, which are written alike.
std::optional<std::string> FieldOf(std::string_view text, std::string_view name) {
  const std::optional<QueryFields> fields = ParseQuery(text);
  if (!fields) return std::nullopt;
  for (const auto& [key, value] : *fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Result<std::string> IdInJson(std::string_view body) {
  const Result<JsonValue> parsed = ParseJson(body);
  if (!parsed.ok()) return parsed.status();
  const JsonValue* const id = parsed->Find("id");
  if (id == nullptr) return Status::InvalidArgument(std::string(kNoId));
  if (const auto* text = id->As<std::string>()) return *text;
  if (const auto* number = id->As<std::int64_t>()) return std::to_string(*number);
  return Status::InvalidArgument("'id' is to be a string or a whole number");
}

Result<std::string> IdInBody(const RequestHead& head, std::string_view body) {
  const auto type = ParseMediaType(head.Header("content-type"));
  if (type && type->value == "application/json") return IdInJson(body);
  if (type && type->value == "application/x-www-form-urlencoded") {
    return FieldOf(body, "id").value_or("");
  }
  return Status::InvalidArgument(std::string(kNoId));
}

std::optional<HttpError> CheckId(const std::string& id) {
  if (id.empty()) return MakeHttpError(400, std::string(kNoId));
  if (id.size() > kMaxIdBytes) return MakeHttpError(400, "an id has 256 bytes at the most");
  return std::nullopt;
}

// From the query, or else from the body.
Task<std::optional<HttpError>> ReadId(RequestContext& context, const ServiceInfo& info,
                                      const InferOptions& options, std::string& id) {
  id = FieldOf(context.query, "id").value_or("");
  if (id.empty() && context.head.verb == Verb::kPost) {
    SharedBytes body;
    context.body.LimitTo(kMaxRowBytes);
    std::optional<HttpError> error =
        co_await context.body.ReadAll(body, DeadlineOf(context, options, info));
    if (error) co_return error;
    if (!body.empty()) {
      Result<std::string> found = IdInBody(context.head, body.view());
      if (!found.ok()) co_return MakeHttpError(400, found.status().message());
      id = *std::move(found);
    }
  }
  co_return CheckId(id);
}

std::optional<HttpError> CheckRowHead(RequestContext& context, const ServiceInfo& info,
                                      InferOptions& options) {
  if (!info.takes_rows) {
    return MakeHttpError(400, "service '" + info.name + "' answers about tensors: ask it at " +
                                  "/v2/models/" + info.name + "/infer");
  }
  Status status = ApplyInferQuery(context.query, options);
  if (status.ok()) status = ApplyInferHeaders(context.head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  return AdmitCall(context, options, info);
}

}  // namespace

Task<Response> HandleRow(RequestContext& context) {
  BeginCall(context, "dm/" + context.parameter);
  std::optional<HttpError> error;
  const ServiceInfoPtr info = FindInGroup(context, "dm", error);
  if (info == nullptr) co_return RefuseCall(context, *error);
  InferOptions options;
  error = CheckRowHead(context, *info, options);
  std::string id;
  if (!error) error = co_await ReadId(context, *info, options, id);
  if (error) co_return RefuseCall(context, *error);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.subject = std::move(id);
  const CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return AnswerCall(context, *info, options, answer.result);
}

Task<Response> HandleRowPage(RequestContext& context) {
  if (FieldOf(context.query, "id")) return HandleRow(context);
  return HandleServicePage(context);
}

}  // namespace xcloud
