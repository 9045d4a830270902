// POST /cv/{service}: one photo in, its labels out.
//
// Cheap refusals come first: service, type, options and length are checked from the header, then
// the service is asked whether it would take one more, and only then is the body read.
#include <chrono>
#include <utility>

#include "http/answer_json.h"
#include "http/endpoints/endpoints.h"
#include "http/endpoints/photo_body.h"
#include "http/inference_call.h"
#include "http/request_metrics.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxLoggedName = 64;

Response Refuse(RequestContext& context, const HttpError& error) {
  context.call_record->code = error.code;
  return context.Fail(error);
}

// A row's id is unique. Clients repeat theirs (retries, loops), and a row whose id is known
// already is not stored, so a client's id is kept in front of one of our own.
std::string RowId(const RequestContext& context) {
  const bool made = context.head.Header("x-request-id") != context.request_id;
  return made ? context.request_id : context.request_id + "~" + context.worker.ids.Next();
}

CallRecord BeginRecord(const RequestContext& context) {
  CallRecord record;
  record.request_id = RowId(context);
  record.api_name = "cv/" + context.parameter.substr(0, kMaxLoggedName);
  record.called_at = context.called_at;
  record.terminal = TerminalTypeOf(context.head.Header("user-agent"));
  record.trace_id = context.trace_id;
  return record;
}

// The caller's own deadline, else the service's goal, else none. From the first byte.
Deadline DeadlineOf(const RequestContext& context, const InferOptions& options,
                    const ServiceInfo& info) {
  if (options.deadline_ms) {
    return Deadline::After(context.first_byte, std::chrono::milliseconds(*options.deadline_ms));
  }
  if (info.latency_goal > Duration{}) {
    return Deadline::After(context.first_byte, info.latency_goal);
  }
  return {};
}

// What the header alone can be refused for.
std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options, PhotoBodyType& type) {
  const RequestHead& head = context.head;
  if (auto error =
          ReadPhotoBodyType(head.Header("content-type"), head.Header("content-encoding"), type)) {
    return error;
  }
  Status status = ApplyInferQuery(context.query, options);
  const std::string_view deadline_ms = head.Header("x-deadline-ms");
  if (status.ok() && !deadline_ms.empty()) {
    status = ApplyInferOption("deadline_ms", deadline_ms, options);
  }
  if (!status.ok()) return MakeHttpError(400, status.message());
  if (auto error = context.body.CheckLength()) return error;
  status = context.server().service.Admit(info.name, info.priority, DeadlineOf(context, options, info));
  if (!status.ok()) return ToHttpError(status);
  return std::nullopt;
}

InferenceRequest MakeRequest(const RequestContext& context, const InferOptions& options,
                             std::string photo, TimePoint received) {
  InferenceRequest request;
  request.request_id = context.request_id;
  request.service = context.parameter;
  request.version = options.version;
  request.image = std::move(photo);
  request.top_k = options.top_k;
  request.first_byte = context.first_byte;
  request.received = received;
  return request;
}

// What the log row and the metrics learn from the service's answer.
void NoteResult(RequestContext& context, const InferenceResult& result) {
  CallRecord& record = *context.call_record;
  if (!result.model.empty()) record.model = result.model;
  record.version = result.version;
  record.decode_ms = ToMilliseconds(DecodeTime(result.stages));
  record.queue_ms = ToMilliseconds(QueueTime(result.stages));
  record.infer_ms = ToMilliseconds(InferTime(result.stages));
  if (result.status.ok()) context.stages = result.stages;
}

Response Answer(RequestContext& context, const ServiceInfo& info, const InferOptions& options,
                const CallOutcome& outcome) {
  switch (outcome.kind) {
    case CallOutcome::Kind::kTooLate:
      return Refuse(context, MakeHttpError(504, "the answer was not ready by the deadline"));
    case CallOutcome::Kind::kClientGone:
      return Refuse(context, MakeHttpError(kStatusClientGone, "the client closed the connection"));
    case CallOutcome::Kind::kStopping:
      return Refuse(context, MakeHttpError(503, "the server is stopping"));
    case CallOutcome::Kind::kAnswered:
      break;
  }
  const InferenceResult& result = outcome.result;
  NoteResult(context, result);
  if (!result.status.ok()) return Refuse(context, ToHttpError(result.status));
  Response response =
      JsonResponse(WriteAnswer(result, info.answer, {context.Elapsed(), options.explain}));
  response.headers.emplace_back("Server-Timing", ServerTiming(result.stages));
  return response;
}

}  // namespace

Task<Response> HandleInfer(RequestContext& context) {
  context.call_record = BeginRecord(context);
  const ServiceInfoPtr info = context.server().service.Find(context.parameter);
  if (info == nullptr) {
    co_return Refuse(context,
                     MakeHttpError(404, "there is no service named '" + context.parameter + "'"));
  }
  context.model = info->name;
  context.call_record->model = info->name;
  InferOptions options;
  PhotoBodyType type;
  if (const auto error = CheckHead(context, *info, options, type)) {
    co_return Refuse(context, *error);
  }
  std::string photo;
  std::optional<HttpError> error = co_await context.body.ReadAll(photo);
  const TimePoint received = context.server().clock.Now();
  if (!error) error = TakePhoto(type, photo, options);
  if (error) co_return Refuse(context, *error);
  InferenceRequest request = MakeRequest(context, options, std::move(photo), received);
  request.deadline = DeadlineOf(context, options, *info);
  if (!request.deadline.IsSet()) {
    const std::chrono::milliseconds limit(context.server().config.answer_timeout_ms);
    request.deadline = Deadline::After(received, limit);
  }
  const TimePoint give_up_at = request.deadline.when();
  CallOutcome outcome;
  if (request.deadline.Expired(received)) {
    outcome.kind = CallOutcome::Kind::kTooLate;
  } else {
    outcome =
        co_await CallInference(context.worker, context.connection, std::move(request), give_up_at);
  }
  co_return Answer(context, *info, options, outcome);
}

}  // namespace xcloud
