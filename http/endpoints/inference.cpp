#include "http/endpoints/inference.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "http/inference_call.h"
#include "http/request_metrics.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxLoggedName = 67;  // a name of 64 and its door

// A row's id is unique. Clients repeat theirs (retries, loops), and a row whose id is known
// already is not stored, so a client's id is kept in front of one of our own.
std::string RowId(const RequestContext& context) {
  const bool made = context.head.Header("x-request-id") != context.request_id;
  return made ? context.request_id : context.request_id + "~" + context.worker.ids.Next();
}

Deadline Sooner(Deadline a, Deadline b) {
  return Deadline::At(std::min(a.when(), b.when()));
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

// Without a deadline the scheduler goes by the model's patience; we wait only so long.
TimePoint GiveUpAt(const RequestContext& context, const InferOptions& options,
                   const ServiceInfo& info, Deadline deadline, TimePoint from) {
  if (options.deadline_ms.has_value() || info.latency_goal > Duration{}) return deadline.when();
  const std::chrono::milliseconds limit(context.worker.server.config.answer_timeout_ms);
  return std::min(deadline.when(), from + limit);
}

std::optional<HttpError> ErrorOf(const CallOutcome& outcome) {
  if (outcome.kind != CallOutcome::Kind::kAnswered) return NotAnswered(outcome.kind);
  if (outcome.result.status.ok()) return std::nullopt;
  return ToHttpError(outcome.result.status);
}

}  // namespace

void BeginCall(RequestContext& context, std::string_view api_name) {
  CallRecord record;
  record.request_id = RowId(context);
  record.api_name = api_name.substr(0, kMaxLoggedName);
  record.called_at = context.called_at;
  record.terminal = TerminalTypeOf(context.head.Header("user-agent"));
  record.trace_id = context.trace_id;
  context.call_record = std::move(record);
}

Response RefuseCall(RequestContext& context, const HttpError& error) {
  context.call_record->code = error.code;
  return context.Fail(error);
}

ServiceInfoPtr FindService(RequestContext& context, std::string_view name) {
  ServiceInfoPtr info = context.server().service.Find(name);
  if (info != nullptr) {
    context.model = info->name;
    context.call_record->model = info->name;
  }
  return info;
}

Status ApplyInferHeaders(const RequestHead& head, InferOptions& options) {
  constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
      {"x-deadline-ms", "deadline_ms"}, {"x-priority", "priority"}, {"x-model-version", "version"}};
  for (const auto& [header, option] : kHeaders) {
    const std::string_view value = head.Header(header);
    if (value.empty()) continue;
    if (Status status = ApplyInferOption(option, value, options); !status.ok()) return status;
  }
  return Status::Ok();
}

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

std::optional<HttpError> AdmitCall(RequestContext& context, const InferOptions& options,
                                   const ServiceInfo& info) {
  if (auto error = context.body.CheckCoding()) return error;
  if (auto error = context.body.CheckLength()) return error;
  const Deadline deadline = DeadlineOf(context, options, info);
  context.deadline = deadline;
  if (deadline.Expired(context.server().clock.Now())) {
    return MakeHttpError(504, "the deadline had passed when the header was in");
  }
  const Priority priority = options.priority.value_or(info.priority);
  const Status status =
      context.server().service.Admit(info.name, options.version, priority, deadline);
  if (!status.ok()) return ToHttpError(status);
  return std::nullopt;
}

InferenceRequest MakeRequest(const RequestContext& context, const InferOptions& options,
                             const ServiceInfo& info) {
  InferenceRequest request;
  request.request_id = context.request_id;
  request.service = info.name;
  request.version = options.version;
  request.top_k = options.top_k;
  request.priority = options.priority.value_or(info.priority);
  request.first_byte = context.first_byte;
  request.received = context.worker.server.clock.Now();
  request.deadline = DeadlineOf(context, options, info);
  return request;
}

TimePoint PatienceOf(const RequestContext& context, const InferOptions& options,
                     const ServiceInfo& info) {
  return GiveUpAt(context, options, info, DeadlineOf(context, options, info),
                  context.worker.server.clock.Now());
}

HttpError NotAnswered(WaitEnd end) {
  return NotAnswered(end, "the answer was not ready by the deadline");
}

Task<CallAnswer> AskService(RequestContext& context, const InferOptions& options,
                            const ServiceInfo& info, InferenceRequest request) {
  context.deadline = request.deadline;
  CallOutcome outcome;
  if (request.deadline.Expired(request.received)) {
    outcome.kind = CallOutcome::Kind::kTooLate;
  } else {
    const TimePoint give_up_at =
        GiveUpAt(context, options, info, request.deadline, request.received);
    outcome =
        co_await CallInference(context.worker, context.connection, std::move(request), give_up_at);
  }
  CallAnswer answer;
  answer.error = ErrorOf(outcome);
  if (outcome.kind == CallOutcome::Kind::kAnswered) NoteResult(context, outcome.result);
  answer.result = std::move(outcome.result);
  co_return answer;
}

}  // namespace xcloud
