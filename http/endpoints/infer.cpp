// POST /cv/{service}: one photo in, its labels out.
//
// Cheap refusals come first: service, type, options and length are checked from the header, then
// the service is asked whether it would take one more, and only then is the body read. A photo that
// is named by its URL is downloaded after that, as a stage of the request.
#include "http/endpoints/inference.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/endpoints.h"
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

// How long the download took; nothing where there was none.
using FetchTime = std::optional<Duration>;

Response Answer(const RequestContext& context, const ServiceInfo& info, const InferOptions& options,
                const InferenceResult& result, FetchTime fetch) {
  Response response =
      JsonResponse(WriteAnswer(result, info.answer, {context.Elapsed(), options.explain, fetch}));
  response.headers.emplace_back("Server-Timing", ServerTiming(result.stages, fetch));
  return response;
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
  PhotoSource source;
  std::optional<HttpError> error = co_await ReceivePhoto(context, type, *info, options, source);
  BodyShare share(context.server().bodies.budget);
  FetchTime fetch;
  if (!error) error = co_await FetchIfNamed(context, options, *info, share, source, fetch);
  if (error) co_return RefuseCall(context, *error);
  InferenceRequest request = MakeRequest(context, options, *info);
  request.image = std::move(source.photo);
  if (fetch) request.deadline = DeadlineAfterFetch(context, options, *info, *fetch);
  const CallAnswer answer = co_await AskService(context, options, *info, std::move(request));
  if (answer.error) co_return RefuseCall(context, *answer.error);
  co_return Answer(context, *info, options, answer.result, fetch);
}

}  // namespace xcloud
