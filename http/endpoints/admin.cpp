// GET and PATCH /admin/models/{name}/batching; POST /admin/models/{name}/load and /unload.
//
// Who may call them is checked before, for every path below /admin (admin_access.h).
#include <chrono>
#include <optional>
#include <utility>

#include "core/log.h"
#include "http/endpoints/batching_json.h"
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"
#include "http/media_type.h"

namespace xcloud {
namespace {

// The caller's own wrong words, not a wrong photo: the body code repeats the status.
HttpError AdminError(const Status& status) {
  HttpError error = ToHttpError(status);
  error.code = error.status;
  return error;
}

std::string ETagOf(std::uint64_t version) {
  return "\"" + std::to_string(version) + "\"";
}

Response ViewResponse(const RequestContext& context, const BatchingView& view) {
  Response response = JsonResponse(WriteBatching(context.parameter, view));
  response.headers.emplace_back("ETag", ETagOf(view.current.version));
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

std::optional<HttpError> CheckJsonType(const RequestHead& head) {
  const auto type = ParseMediaType(head.Header("content-type"));
  if (!type || type->value != "application/json") {
    return MakeHttpError(415, "send the knobs as application/json");
  }
  if (head.Has("content-encoding")) {
    return MakeHttpError(415, "a body with a Content-Encoding is not read here");
  }
  return std::nullopt;
}

// RFC 9110, 13.1.1: one of the listed tags must be the current one.
bool IfMatchHolds(std::string_view tags, std::uint64_t version) {
  const std::string current = ETagOf(version);
  while (!tags.empty()) {
    const std::size_t end = tags.find(',');
    const std::string_view tag = TrimBlanks(tags.substr(0, end));
    if (tag == current) return true;
    tags = end == std::string_view::npos ? std::string_view() : tags.substr(end + 1);
  }
  return false;
}

HttpError NotCurrent(std::uint64_t version) {
  return MakeHttpError(412, "version " + std::to_string(version) + " is current: read it again");
}

Response Change(RequestContext& context, std::string_view body) {
  InferenceService& service = context.server().service;
  const Result<BatchingView> before = service.Batching(context.parameter);
  if (!before.ok()) return context.Fail(AdminError(before.status()));
  const std::uint64_t version = before->current.version;
  Result<BatchingPatch> patch = ReadBatchingPatch(body);
  if (!patch.ok()) return context.Fail(AdminError(patch.status()));
  const std::string_view if_match = TrimBlanks(context.head.Header("if-match"));
  const bool conditional = context.head.Has("if-match") && if_match != "*";  // * = any version
  if (conditional && !IfMatchHolds(if_match, version)) {
    return context.Fail(NotCurrent(version));
  }
  const bool names_version = patch->expected_version.has_value();
  // Between the check above and the change another may come: the service looks again.
  if (conditional && !names_version) patch->expected_version = version;
  const Result<BatchingView> after = service.ChangeBatching(context.parameter, *patch);
  if (!after.ok()) {
    HttpError error = AdminError(after.status());
    if (error.status == 409 && !names_version) error.status = error.code = 412;
    return context.Fail(error);
  }
  spdlog::info("admin: batching of '{}' is at version {}", context.parameter,
               after->current.version);
  return ViewResponse(context, *after);
}

Response Begin(RequestContext& context, const Status& begun, std::string_view what) {
  if (!begun.ok()) return context.Fail(AdminError(begun));
  spdlog::info("admin: {} of '{}' begins", what, context.parameter);
  const ServiceInfoPtr info = context.server().service.Find(context.parameter);
  Response response;
  response.status = 202;
  JsonWriter json(response.body);
  json.BeginObject().Key("name").String(context.parameter);
  json.Key("state").String(info == nullptr ? "unknown" : ServiceStateName(info->state));
  json.EndObject();
  return response;
}

}  // namespace

Task<Response> HandleBatching(RequestContext& context) {
  const Result<BatchingView> view = context.server().service.Batching(context.parameter);
  if (!view.ok()) co_return context.Fail(AdminError(view.status()));
  co_return ViewResponse(context, *view);
}

Task<Response> HandleChangeBatching(RequestContext& context) {
  if (const auto error = CheckJsonType(context.head)) co_return context.Fail(*error);
  context.body.LimitTo(kMaxPatchBytes);
  SharedBytes body;
  const std::optional<HttpError> error = co_await context.body.ReadAll(body);
  if (error) co_return context.Fail(*error);
  co_return Change(context, body.view());
}

Task<Response> HandleLoad(RequestContext& context) {
  const Status begun = context.server().service.Load(context.parameter, nullptr);
  co_return Begin(context, begun, "load");
}

Task<Response> HandleUnload(RequestContext& context) {
  const Status begun = context.server().service.Unload(context.parameter, nullptr);
  co_return Begin(context, begun, "unload");
}

}  // namespace xcloud
