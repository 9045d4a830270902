// POST /v2/repository/index; POST /v2/repository/models/{model}/load and /unload, which answer
// when it is done.
//
// Load and unload are guarded as /admin is, and with server.admin = "off" refused as Triton refuses
// them when its repository is not controlled explicitly.
#include <chrono>
#include <optional>
#include <utility>

#include "core/log.h"
#include "http/completion_wait.h"
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"
#include "http/v2/control_json.h"
#include "http/v2/model_lookup.h"
#include "http/v2/operator_access.h"

namespace xcloud {
namespace {

// Weights of some GB from a cold disk, and warming each batch size. It goes on after that.
constexpr std::chrono::minutes kLongestOperation{10};

// Triton knows no more states, and tells why in the reason.
std::string_view IndexStateOf(ServiceState state) {
  switch (state) {
    case ServiceState::kReady:
      return "READY";
    case ServiceState::kLoading:
      return "LOADING";
    case ServiceState::kNoWeights:
    case ServiceState::kUnloaded:
    case ServiceState::kFailed:
      break;
  }
  return "UNAVAILABLE";
}

// A row a version.
void WriteIndexEntries(JsonWriter& json, const ServiceInfo& info, bool ready_only) {
  for (const VersionState& one : VersionsOf(info)) {
    if (ready_only && one.state != ServiceState::kReady) continue;
    json.BeginObject().Key("name").String(info.name);
    if (!one.version.empty()) json.Key("version").String(one.version);
    json.Key("state").String(IndexStateOf(one.state)).Key("reason");
    const bool unloaded = one.state == ServiceState::kUnloaded && one.reason.empty();
    json.String(unloaded ? "unloaded" : one.reason);
    if (!one.labels.empty()) {  // ours: Triton has none
      json.Key("labels").BeginArray();
      for (const std::string& label : one.labels) json.String(label);
      json.EndArray();
    }
    json.EndObject();
  }
}

// Reads the body; what is wrong with it, or with who sends it, or with the name.
Task<std::optional<HttpError>> ReadControl(RequestContext& context, SharedBytes& body) {
  if (context.server().config.admin == "off") {
    co_return MakeHttpError(503,
                            "explicit model load / unload is not allowed: [server] admin is off");
  }
  if (auto error = CheckOperator(context, "model control")) co_return error;
  if (context.parameter.empty()) {
    co_return MakeHttpError(400,
                            "Model name cannot be empty. Please enter a valid name to deploy.");
  }
  if (auto error = CheckModelName(context.parameter)) co_return error;
  context.body.LimitTo(kMaxControlBytes);
  std::optional<HttpError> error = co_await context.body.ReadAll(body);
  co_return error;
}

HttpError ControlError(const RequestContext& context, std::string_view verb, const Status& status) {
  const std::string failed =
      "failed to " + std::string(verb) + " '" + context.parameter.substr(0, 200) + "', ";
  switch (status.code()) {
    case StatusCode::kNotFound:
      // Triton says 500 here and notes itself that the caller is to blame.
      return MakeHttpError(400, failed + "failed to poll from model repository");
    case StatusCode::kCancelled:
      return MakeHttpError(400, failed + "another load or unload of it came in between");
    default:
      break;
  }
  HttpError error = ToHttpError(status);
  error.message = failed + error.message;
  return error;
}

using Operation = Status (InferenceService::*)(std::string_view, StatusCallback);

// Begins it and answers when it has ended.
Task<Response> Operate(RequestContext& context, std::string_view verb, Operation operation) {
  InferenceService& service = context.server().service;
  auto begin = [&service, operation, name = context.parameter](const StatusCallback& done) {
    const Status begun = (service.*operation)(name, done);
    if (!begun.ok()) done(begun);
  };
  spdlog::info("v2: {} of '{}' begins", verb, context.parameter);
  const TimePoint until = context.server().clock.Now() + kLongestOperation;
  const WaitOutcome<Status> outcome =
      co_await WaitForCompletion<Status>(context.worker, context.connection, until, begin);
  if (!outcome.value) {
    co_return context.Fail(
        NotAnswered(outcome.end, "it is not done yet and goes on: see the repository index"));
  }
  if (!outcome.value->ok()) co_return context.Fail(ControlError(context, verb, *outcome.value));
  co_return JsonResponse("{}");
}

}  // namespace

Task<Response> HandleV2Index(RequestContext& context) {
  context.body.LimitTo(kMaxControlBytes);
  SharedBytes body;
  const std::optional<HttpError> error = co_await context.body.ReadAll(body);
  if (error) co_return context.Fail(*error);
  const Result<bool> ready_only = ReadIndexBody(body.view());
  if (!ready_only.ok()) co_return context.Fail(ToHttpError(ready_only.status()));
  Response response;
  JsonWriter json(response.body);
  json.BeginArray();
  for (const ServiceInfoPtr& info : context.server().service.List()) {
    WriteIndexEntries(json, *info, *ready_only);
  }
  json.EndArray();
  co_return response;
}

Task<Response> HandleV2RepositoryIndex(RequestContext& context) {
  co_return context.Fail(MakeHttpError(501, "'repository_name' specification is not supported"));
}

Task<Response> HandleV2Load(RequestContext& context) {
  SharedBytes body;
  const std::optional<HttpError> error = co_await ReadControl(context, body);
  if (error) co_return context.Fail(*error);
  const Status status = CheckLoadBody(context.parameter, body.view());
  if (!status.ok()) co_return context.Fail(ToHttpError(status));
  Response response = co_await Operate(context, "load", &InferenceService::Load);
  co_return response;
}

Task<Response> HandleV2Unload(RequestContext& context) {
  SharedBytes body;
  const std::optional<HttpError> error = co_await ReadControl(context, body);
  if (error) co_return context.Fail(*error);
  const Status status = CheckUnloadBody(body.view());
  if (!status.ok()) co_return context.Fail(ToHttpError(status));
  const ServiceInfoPtr info = context.server().service.Find(context.parameter);
  // As Triton has it: what is out already is out.
  if (info != nullptr && info->state == ServiceState::kUnloaded) co_return JsonResponse("{}");
  Response response = co_await Operate(context, "unload", &InferenceService::Unload);
  co_return response;
}

}  // namespace xcloud
