#include "http/endpoints/photo_call.h"

#include <algorithm>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/photo_body.h"
#include "http/endpoints/photo_fetch.h"

namespace xcloud {
namespace {

// What the header alone can be refused for.
std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options, PhotoBodyType& type) {
  const RequestHead& head = context.head;
  if (auto error = ReadPhotoBodyType(head.Header("content-type"), type)) {
    return error;
  }
  // The query first: the headers have the last word.
  Status status = ApplyInferQuery(context.query, options);
  if (status.ok()) status = ApplyInferHeaders(head, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  return AdmitCall(context, options, info);
}

// The service's goal is about what we do, and a download may take longer than all of it: then the
// goal counts from the moment the photo is here. What the caller names counts from the first byte.
Deadline DeadlineOfFetch(const RequestContext& context, const InferOptions& options) {
  return DeadlineOf(context, options, ServiceInfo());
}

Deadline DeadlineAfterFetch(const RequestContext& context, const InferOptions& options,
                            const ServiceInfo& info, Duration fetch) {
  const Deadline named = DeadlineOfFetch(context, options);
  if (options.deadline_ms || info.latency_goal <= Duration{}) return named;
  const Deadline goal = Deadline::After(context.first_byte, info.latency_goal + fetch);
  return Deadline::At(std::min(named.when(), goal.when()));
}

// Downloads the photo if it has to be. The service is asked before that once more: the form may
// have named another deadline or priority, and nobody wants a photo that is refused when it comes.
Task<std::optional<HttpError>> FetchIfNamed(RequestContext& context, const InferOptions& options,
                                            const ServiceInfo& info, BodyShare& share,
                                            PhotoSource& source, FetchTime& took) {
  if (source.url.empty()) co_return std::nullopt;
  std::optional<HttpError> error = AdmitCall(context, options, info);
  if (error) co_return error;
  const TimePoint start = context.server().clock.Now();
  context.deadline = DeadlineOfFetch(context, options);
  error = co_await FetchPhoto(context, context.deadline, share, source);
  took = context.server().clock.Now() - start;
  co_return error;
}

// The photo, whatever form it comes in.
Task<std::optional<HttpError>> ReceivePhoto(RequestContext& context, const PhotoBodyType& type,
                                            const ServiceInfo& info, InferOptions& options,
                                            PhotoSource& source) {
  SharedBytes body;
  // A form may name another deadline, which counts once it is read: until then, the head's.
  std::optional<HttpError> error =
      co_await context.body.ReadAll(body, DeadlineOf(context, options, info));
  if (error) co_return error;
  co_return TakePhoto(type, body, context.server().bodies.pool, options, source);
}

}  // namespace

Task<PhotoCall> ReceivePhotoCall(RequestContext& context, const ServiceInfo& info,
                                 BodyShare& share) {
  PhotoCall call;
  PhotoBodyType type;
  call.error = CheckHead(context, info, call.options, type);
  if (call.error) co_return call;
  PhotoSource source;
  call.error = co_await ReceivePhoto(context, type, info, call.options, source);
  if (call.error) co_return call;
  call.error = co_await FetchIfNamed(context, call.options, info, share, source, call.fetch);
  if (call.error) co_return call;
  call.request = MakeRequest(context, call.options, info);
  call.request.image = std::move(source.photo);
  if (call.fetch) {
    call.request.deadline = DeadlineAfterFetch(context, call.options, info, *call.fetch);
  }
  co_return call;
}

ServiceInfoPtr FindInGroup(RequestContext& context, std::string_view group,
                           std::optional<HttpError>& error) {
  ServiceInfoPtr info = FindService(context, context.parameter);
  const std::string prefix = "/" + std::string(group) + "/";
  if (info != nullptr && info->route.starts_with(prefix)) return info;
  std::string why = "there is no service named '" + context.parameter + "'";
  if (info != nullptr) why += " here: it is at " + info->route;
  error = MakeHttpError(404, why);
  return nullptr;
}

Response AnswerCall(const RequestContext& context, const ServiceInfo& info,
                    const InferOptions& options, const InferenceResult& result, FetchTime fetch) {
  Response response =
      JsonResponse(WriteAnswer(result, info.answer, {context.Elapsed(), options.explain, fetch}));
  response.headers.emplace_back("Server-Timing", ServerTiming(result.stages, fetch));
  return response;
}

}  // namespace xcloud
