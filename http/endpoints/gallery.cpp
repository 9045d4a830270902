// /cv/{service}/gallery: what a service that searches, searches in. PUT and DELETE of an entry, and
// the list of them, for whoever may use /admin: a gallery may hold people.
#include <optional>
#include <utility>

#include "http/admin_access.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/photo_call.h"

namespace xcloud {
namespace {

// The service, or why this caller is not let at its gallery.
ServiceInfoPtr FindGallery(RequestContext& context, std::optional<HttpError>& error) {
  const ServiceInfoPtr info = FindInGroup(context, "cv", error);
  if (info == nullptr) return nullptr;
  const std::string& mode = context.server().config.admin;
  if (!info->has_gallery) {
    error = MakeHttpError(404, "service '" + info->name + "' keeps no gallery");
  } else if (mode == "off") {
    error = MakeHttpError(403, "galleries are closed: [server] admin is off");
  } else {
    error = CheckAdminAccess(mode, CallerOf(context.connection, context.head), "a gallery");
  }
  return error ? nullptr : info;
}

Task<Response> AskGallery(RequestContext& context, const ServiceInfo& info, InferOptions options,
                          InferenceRequest request) {
  const CallAnswer answer = co_await AskService(context, options, info, std::move(request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return AnswerCall(context, info, options, answer.result);
}

// Without a photo: what is asked is in the path.
Task<Response> AskWithoutPhoto(RequestContext& context, ServiceAction action) {
  BeginCall(context, "cv/" + context.parameter);
  std::optional<HttpError> error;
  const ServiceInfoPtr info = FindGallery(context, error);
  InferOptions options;
  if (!error) {
    Status status = ApplyInferQuery(context.query, options);
    if (status.ok()) status = ApplyInferHeaders(context.head, options);
    if (!status.ok()) error = MakeHttpError(400, status.message());
  }
  if (!error) error = AdmitCall(context, options, *info);
  if (error) co_return RefuseCall(context, *error);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.action = action;
  request.subject = context.parameter2;
  co_return co_await AskGallery(context, *info, options, std::move(request));
}

}  // namespace

Task<Response> HandleEnrol(RequestContext& context) {
  BeginCall(context, "cv/" + context.parameter);
  std::optional<HttpError> error;
  const ServiceInfoPtr info = FindGallery(context, error);
  if (info == nullptr) co_return RefuseCall(context, *error);
  BodyShare share(context.server().bodies.budget);
  PhotoCall call = co_await ReceivePhotoCall(context, *info, share);
  if (call.error) co_return RefuseCall(context, *call.error);
  call.request.action = ServiceAction::kEnrol;
  call.request.subject = context.parameter2;
  co_return co_await AskGallery(context, *info, call.options, std::move(call.request));
}

Task<Response> HandleRemoveEntry(RequestContext& context) {
  return AskWithoutPhoto(context, ServiceAction::kRemove);
}

Task<Response> HandleGallery(RequestContext& context) {
  return AskWithoutPhoto(context, ServiceAction::kEntries);
}

}  // namespace xcloud
