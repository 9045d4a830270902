// GET /api/services: a JSON list of every service; GET /api/services/{name}: one of them.
#include "core/priority_name.h"
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"

namespace xcloud {
namespace {

void WriteAnswerForm(JsonWriter& json, const AnswerForm& form) {
  json.BeginObject().Key("label_key").String(form.label_key);
  json.Key("index_key").String(form.index_key);
  json.Key("probability_key").String(form.probability_key);
  json.Key("decimals").Integer(form.decimals).Key("top_k").Integer(form.top_k);
  json.Key("threshold").Fixed(form.threshold, 6).EndObject();
}

void WriteVersions(JsonWriter& json, const ServiceInfo& info) {
  json.Key("versions").BeginArray();
  for (const VersionState& one : info.versions) {
    json.BeginObject().Key("version").String(one.version);
    json.Key("state").String(ServiceStateName(one.state)).Key("reason").String(one.reason);
    json.Key("labels").BeginArray();
    for (const std::string& label : one.labels) json.String(label);
    json.EndArray().EndObject();
  }
  json.EndArray();
}

// `imgurl`: whether the server fetches photos by URL, which is the same for every service.
void WriteService(JsonWriter& json, const ServiceInfo& info, bool imgurl) {
  json.BeginObject().Key("name").String(info.name).Key("route").String(info.route);
  json.Key("title").String(info.title).Key("description").String(info.description);
  json.Key("source").String(info.source).Key("version").String(info.version);
  WriteVersions(json, info);
  json.Key("backend").String(info.backend);
  json.Key("state").String(ServiceStateName(info.state)).Key("reason").String(info.reason);
  json.Key("label_count").Integer(static_cast<std::int64_t>(info.label_count));
  json.Key("max_batch").Integer(static_cast<std::int64_t>(info.max_batch));
  json.Key("latency_goal_ms").Fixed(ToMilliseconds(info.latency_goal), 3);
  json.Key("priority").String(PriorityName(info.priority)).Key("answer");
  WriteAnswerForm(json, info.answer);
  json.Key("imgurl").Bool(imgurl).Key("internal").Bool(info.internal);
  json.Key("gallery").Bool(info.has_gallery).Key("rows").Bool(info.takes_rows);
  json.Key("synthetic").Bool(info.synthetic).EndObject();
}

}  // namespace

Task<Response> HandleServiceList(RequestContext& context) {
  Response response;
  JsonWriter json(response.body);
  const bool imgurl = context.server().fetcher->enabled();
  json.BeginArray();
  for (const ServiceInfoPtr& info : context.server().service.List()) {
    WriteService(json, *info, imgurl);
  }
  json.EndArray();
  co_return response;
}

Task<Response> HandleService(RequestContext& context) {
  const ServiceInfoPtr info = context.server().service.Find(context.parameter);
  if (info == nullptr) {
    co_return context.Fail(
        MakeHttpError(404, "there is no service named '" + context.parameter + "'"));
  }
  Response response;
  JsonWriter json(response.body);
  WriteService(json, *info, context.server().fetcher->enabled());
  co_return response;
}

}  // namespace xcloud
