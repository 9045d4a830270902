// GET below /v2/models/{model}[/versions/{version}]: metadata, /ready, /config, /stats; and
// GET /v2/models/stats, all of them.
#include <optional>
#include <string>

#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"
#include "http/v2/model_json.h"
#include "http/v2/model_lookup.h"

namespace xcloud {
namespace {

// The model, which serves.
std::optional<HttpError> FindReadyModel(RequestContext& context, ServiceInfoPtr& info) {
  if (auto error = FindModel(context, info)) return error;
  return CheckModelReady(*info);
}

// Of the versions that answer, or of `only`; what is not loaded has none.
void WriteStatistics(JsonWriter& json, RequestContext& context, const ServiceInfo& info,
                     const std::string& only) {
  for (const VersionState& one : VersionsOf(info)) {
    if (one.state != ServiceState::kReady || (!only.empty() && one.version != only)) continue;
    const Result<ModelStatistics> statistics =
        context.server().service.Statistics(info.name, one.version);
    if (statistics.ok()) WriteModelStatistics(json, *statistics);
  }
}

}  // namespace

Task<Response> HandleV2Model(RequestContext& context) {
  ServiceInfoPtr info;
  if (const auto error = FindReadyModel(context, info)) co_return context.Fail(*error);
  co_return JsonResponse(WriteModelMetadata(*info));
}

Task<Response> HandleV2ModelReady(RequestContext& context) {
  ServiceInfoPtr info;
  if (const auto error = FindModel(context, info)) co_return context.Fail(*error);
  const bool ready = info->state == ServiceState::kReady;
  Response response;
  response.status = ready ? 200 : 503;
  JsonWriter json(response.body);
  json.BeginObject().Key("name").String(info->name).Key("ready").Bool(ready);
  if (!ready) json.Key("error").String(CheckModelReady(*info)->message);
  json.EndObject();
  co_return response;
}

Task<Response> HandleV2ModelConfig(RequestContext& context) {
  ServiceInfoPtr info;
  if (const auto error = FindReadyModel(context, info)) co_return context.Fail(*error);
  const Result<BatchingView> batching = context.server().service.Batching(info->name);
  co_return JsonResponse(WriteModelConfig(*info, batching.ok() ? &*batching : nullptr));
}

Task<Response> HandleV2ModelStats(RequestContext& context) {
  ServiceInfoPtr info;
  if (const auto error = FindReadyModel(context, info)) co_return context.Fail(*error);
  Response response;
  JsonWriter json(response.body);
  json.BeginObject().Key("model_stats").BeginArray();
  WriteStatistics(json, context, *info, context.parameter2.empty() ? "" : info->version);
  json.EndArray().EndObject();
  co_return response;
}

Task<Response> HandleV2AllStats(RequestContext& context) {
  Response response;
  JsonWriter json(response.body);
  json.BeginObject().Key("model_stats").BeginArray();
  for (const ServiceInfoPtr& info : context.server().service.List()) {
    WriteStatistics(json, context, *info, "");
  }
  json.EndArray().EndObject();
  co_return response;
}

}  // namespace xcloud
