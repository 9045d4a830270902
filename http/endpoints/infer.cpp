// POST /cv/{service}: one photo in, its labels out.
//
// Cheap refusals come first: service, type, options and length are checked from the header, then
// the service is asked whether it would take one more, and only then is the body read.
#include <algorithm>
#include <chrono>
#include <optional>
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

Deadline Sooner(Deadline a, Deadline b) {
  return Deadline::At(std::min(a.when(), b.when()));
}

// The caller's own deadline, else the service's goal, else none; `timeout` may shorten it. From the
// first byte.
Deadline DeadlineOf(const RequestContext& context, const InferOptions& options,
                    const ServiceInfo& info) {
  Deadline deadline;
  if (options.deadline_ms) {
    deadline = Deadline::After(context.first_byte, std::chrono::milliseconds(*options.deadline_ms));
  } else if (info.latency_goal > Duration{}) {
    deadline = Deadline::After(context.first_byte, info.latency_goal);
  }
  if (options.timeout_us == 0) return deadline;
  const std::chrono::microseconds timeout(options.timeout_us);
  return Sooner(deadline, Deadline::After(context.first_byte, timeout));
}

// The query first; the headers, which a proxy may set, have the last word.
Status ReadHeadOptions(const RequestContext& context, InferOptions& options) {
  constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
      {"x-deadline-ms", "deadline_ms"}, {"x-priority", "priority"}};
  Status status = ApplyInferQuery(context.query, options);
  for (const auto& [header, option] : kHeaders) {
    const std::string_view value = context.head.Header(header);
    if (status.ok() && !value.empty()) status = ApplyInferOption(option, value, options);
  }
  return status;
}

// What the header alone can be refused for.
std::optional<HttpError> CheckHead(RequestContext& context, const ServiceInfo& info,
                                   InferOptions& options, PhotoBodyType& type) {
  const RequestHead& head = context.head;
  if (auto error =
          ReadPhotoBodyType(head.Header("content-type"), head.Header("content-encoding"), type)) {
    return error;
  }
  Status status = ReadHeadOptions(context, options);
  if (!status.ok()) return MakeHttpError(400, status.message());
  if (auto error = context.body.CheckLength()) return error;
  const Deadline deadline = DeadlineOf(context, options, info);
  context.deadline = deadline;
  if (deadline.Expired(context.server().clock.Now())) {
    return MakeHttpError(504, "the deadline had passed when the header was in");
  }
  const Priority priority = options.priority.value_or(info.priority);
  status = context.server().service.Admit(info.name, priority, deadline);
  if (!status.ok()) return ToHttpError(status);
  return std::nullopt;
}

InferenceRequest MakeRequest(const RequestContext& context, const InferOptions& options,
                             SharedBytes photo, TimePoint received) {
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
  SharedBytes photo;
  // A form may name another deadline, which counts once it is read: until then, the head's.
  std::optional<HttpError> error =
      co_await context.body.ReadAll(photo, DeadlineOf(context, options, *info));
  const TimePoint received = context.server().clock.Now();
  if (!error) error = TakePhoto(type, photo, options);
  if (error) co_return Refuse(context, *error);
  InferenceRequest request = MakeRequest(context, options, std::move(photo), received);
  request.deadline = DeadlineOf(context, options, *info);
  context.deadline = request.deadline;
  request.priority = options.priority.value_or(info->priority);
  // Without a deadline the scheduler goes by the model's patience; we wait only so long.
  const std::chrono::milliseconds limit(context.server().config.answer_timeout_ms);
  const bool named = options.deadline_ms.has_value() || info->latency_goal > Duration{};
  const TimePoint give_up_at =
      named ? request.deadline.when() : std::min(request.deadline.when(), received + limit);
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
