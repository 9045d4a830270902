// POST /cv/{service}: one photo in, its labels out.
//
// Cheap refusals come first: service, type, options and length are checked from the header, then
// the service is asked whether it would take one more, and only then is the body read. A photo that
// is named by its URL is downloaded after that, as a stage of the request.
#include <optional>
#include <utility>

#include "http/endpoints/endpoints.h"
#include "http/endpoints/photo_call.h"

namespace xcloud {

Task<Response> HandleInfer(RequestContext& context) {
  BeginCall(context, "cv/" + context.parameter);
  std::optional<HttpError> error;
  const ServiceInfoPtr info = FindInGroup(context, "cv", error);
  if (info == nullptr) co_return RefuseCall(context, *error);
  BodyShare share(context.server().bodies.budget);
  PhotoCall call = co_await ReceivePhotoCall(context, *info, share);
  if (call.error) co_return RefuseCall(context, *call.error);
  const CallAnswer answer =
      co_await AskService(context, call.options, *info, std::move(call.request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return AnswerCall(context, *info, call.options, answer.result, call.fetch);
}

}  // namespace xcloud
