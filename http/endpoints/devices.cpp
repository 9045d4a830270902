// GET /api/devices: a JSON list of the devices; GET /api/devices/{name}: one of them, 503 while it
// gets no batches.
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"

namespace xcloud {
namespace {

void WriteDevice(JsonWriter& json, const DeviceHealth& device) {
  json.BeginObject().Key("name").String(device.name);
  json.Key("state").String(DeviceStateName(device.state)).Key("reason").String(device.reason);
  json.Key("lanes").Integer(static_cast<std::int64_t>(device.lanes));
  json.Key("busy").Integer(static_cast<std::int64_t>(device.busy));
  json.Key("faults").Integer(static_cast<std::int64_t>(device.faults)).EndObject();
}

}  // namespace

Task<Response> HandleDeviceList(RequestContext& context) {
  Response response;
  JsonWriter json(response.body);
  json.BeginArray();
  for (const DeviceHealth& device : context.server().service.Devices()) WriteDevice(json, device);
  json.EndArray();
  co_return response;
}

Task<Response> HandleDevice(RequestContext& context) {
  for (const DeviceHealth& device : context.server().service.Devices()) {
    if (device.name != context.parameter) continue;
    Response response;
    response.status = device.state == DeviceState::kReady ? 200 : 503;
    JsonWriter json(response.body);
    WriteDevice(json, device);
    co_return response;
  }
  co_return context.Fail(
      MakeHttpError(404, "there is no device named '" + context.parameter + "'"));
}

}  // namespace xcloud
