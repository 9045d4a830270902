// TorchServe's listing: GET /models?limit=N&next_page_token=T, GET /models/{model}[/{version}].
//
// What TorchServe calls a worker is a lane here, and the lanes serve every model: each model is
// told with all of them.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"
#include "http/query.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxPage = 100;  // TorchServe's default and limit

struct Page {
  std::size_t first = 0;
  std::size_t limit = kMaxPage;
};

bool ParseCount(std::string_view text, std::size_t& number) {
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return !text.empty() && read.ec == std::errc() && read.ptr == end;
}

std::optional<HttpError> ReadPage(std::string_view query, Page& page) {
  const auto fields = ParseQuery(query);
  if (!fields) return MakeHttpError(400, "the query has a malformed %-escape");
  for (const auto& [name, value] : *fields) {
    if (name == "limit" && (!ParseCount(value, page.limit) || page.limit == 0)) {
      return MakeHttpError(400, "limit must be a whole number, 1 or more");
    }
    if (name == "next_page_token" && !ParseCount(value, page.first)) {
      return MakeHttpError(400, "next_page_token must be one that an earlier page gave");
    }
  }
  page.limit = std::min(page.limit, kMaxPage);
  return std::nullopt;
}

std::string UrlOf(const ServiceInfo& info) {
  return "/predictions/" + info.name;
}

std::string_view StatusOf(ServiceState state) {
  switch (state) {
    case ServiceState::kReady:
      return "READY";
    case ServiceState::kLoading:
      return "LOADING";
    case ServiceState::kUnloaded:
      return "UNLOADED";
    case ServiceState::kNoWeights:
    case ServiceState::kFailed:
      break;
  }
  return "FAILED";
}

void WriteWorkers(JsonWriter& json, const std::vector<DeviceHealth>& devices) {
  json.Key("workers").BeginArray();
  for (const DeviceHealth& device : devices) {
    for (std::size_t lane = 0; lane < device.lanes; ++lane) {
      json.BeginObject().Key("id").String(device.name + "/" + std::to_string(lane));
      json.Key("status").String(device.state == DeviceState::kReady ? "READY" : "UNAVAILABLE");
      json.EndObject();
    }
  }
  json.EndArray();
}

void WriteDescription(JsonWriter& json, const ServiceInfo& info, InferenceService& service) {
  const std::vector<DeviceHealth> devices = service.Devices();
  std::int64_t lanes = 0;
  for (const DeviceHealth& device : devices) lanes += static_cast<std::int64_t>(device.lanes);
  json.BeginObject().Key("modelName").String(info.name);
  json.Key("modelVersion").String(info.version).Key("modelUrl").String(UrlOf(info));
  json.Key("runtime").String(info.backend).Key("status").String(StatusOf(info.state));
  json.Key("minWorkers").Integer(lanes).Key("maxWorkers").Integer(lanes);
  if (const Result<BatchingView> batching = service.Batching(info.name); batching.ok()) {
    const BatchLimits& limits = batching->current.limits;
    const auto delay = std::chrono::ceil<std::chrono::milliseconds>(limits.max_queue_delay);
    json.Key("batchSize").Integer(static_cast<std::int64_t>(limits.max_batch));
    json.Key("maxBatchDelay").Integer(delay.count());
  }
  WriteWorkers(json, devices);
  json.EndObject();
}

}  // namespace

Task<Response> HandleModelList(RequestContext& context) {
  Page page;
  if (const auto error = ReadPage(context.query, page)) co_return context.Fail(*error);
  const std::vector<ServiceInfoPtr> all = context.server().service.List();
  const std::size_t first = std::min(page.first, all.size());
  const std::size_t last = first + std::min(page.limit, all.size() - first);
  Response response;
  JsonWriter json(response.body);
  json.BeginObject();
  if (last < all.size()) json.Key("nextPageToken").String(std::to_string(last));
  json.Key("models").BeginArray();
  for (std::size_t i = first; i < last; ++i) {
    json.BeginObject().Key("modelName").String(all[i]->name);
    json.Key("modelUrl").String(UrlOf(*all[i])).EndObject();
  }
  json.EndArray().EndObject();
  co_return response;
}

Task<Response> HandleModelDescription(RequestContext& context) {
  InferenceService& service = context.server().service;
  const ServiceInfoPtr info = service.Find(context.parameter);
  if (info == nullptr) {
    co_return context.Fail(MakeHttpError(404, "Model not found: " + context.parameter));
  }
  std::vector<std::string> versions = {context.parameter2};
  if (context.parameter2 == "all") {
    versions.clear();
    for (const VersionState& one : VersionsOf(*info)) versions.push_back(one.version);
  }
  Response response;
  JsonWriter json(response.body);
  json.BeginArray();
  for (const std::string& version : versions) {
    const Result<ServiceInfoPtr> found = service.FindVersion(info->name, version);
    if (!found.ok()) {
      co_return context.Fail(MakeHttpError(
          404, "Model version: " + version + " does not exist for model: " + context.parameter +
                   "; it serves " + ServedVersions(VersionsOf(*info))));
    }
    WriteDescription(json, **found, service);
  }
  json.EndArray();
  co_return response;
}

}  // namespace xcloud
