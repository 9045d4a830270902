// POST /cv/{service}: one photo in, its labels out.
//
// Cheap refusals come first: service, type, options and length are checked from the header, then
// the service is asked whether it would take one more, and only then is the body read.
#include "http/endpoints/inference.h"

#include <optional>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/photo_body.h"

namespace xcloud {
namespace {

// What the header alone can be refused for.
std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options, PhotoBodyType& type) {
  const RequestHead& head = context.head;
  if (auto error =
          ReadPhotoBodyType(head.Header("content-type"), head.Header("content-encoding"), type)) {
    return error;
  }
  // The query first: the headers have the last word.
  Status status = ApplyInferQuery(context.query, options);
  if (status.ok()) status = ApplyInferHeaders(head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  return AdmitCall(context, options, info);
}

Response Answer(const RequestContext& context, const ServiceInfo& info, const InferOptions& options,
                const InferenceResult& result) {
  Response response =
      JsonResponse(WriteAnswer(result, info.answer, {context.Elapsed(), options.explain}));
  response.headers.emplace_back("Server-Timing", ServerTiming(result.stages));
  return response;
}

}  // namespace

Task<Response> HandleInfer(RequestContext& context) {
  BeginCall(context, "cv/" + context.parameter);
  const ServiceInfoPtr info = FindService(context, context.parameter);
  if (info == nullptr) {
    co_return RefuseCall(
        context, MakeHttpError(404, "there is no service named '" + context.parameter + "'"));
  }
  InferOptions options;
  PhotoBodyType type;
  if (const auto error = CheckHead(context, *info, options, type)) {
    co_return RefuseCall(context, *error);
  }
  SharedBytes photo;
  // A form may name another deadline, which counts once it is read: until then, the head's.
  std::optional<HttpError> error =
      co_await context.body.ReadAll(photo, DeadlineOf(context, options, *info));
  if (!error) error = TakePhoto(type, photo, options);
  if (error) co_return RefuseCall(context, *error);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.image = std::move(photo);
  const CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return Answer(context, *info, options, answer.result);
}

}  // namespace xcloud
