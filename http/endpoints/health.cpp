// GET /livez: 200 as long as the process runs. GET /readyz: 200 when requests should come here.
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"

namespace xcloud {

Task<Response> HandleLive(RequestContext&) {
  co_return JsonResponse("{\"live\":true}");
}

Task<Response> HandleReady(RequestContext& context) {
  const Status ready = context.server().Ready();
  Response response;
  response.status = ready.ok() ? 200 : 503;
  JsonWriter json(response.body);
  json.BeginObject().Key("ready").Bool(ready.ok());
  json.Key("reason").String(ready.message()).Key("devices").BeginArray();
  for (const DeviceHealth& device : context.server().service.Devices()) {
    json.BeginObject().Key("name").String(device.name);
    json.Key("state").String(DeviceStateName(device.state)).EndObject();
  }
  json.EndArray().EndObject();
  co_return response;
}

}  // namespace xcloud
