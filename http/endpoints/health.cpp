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
  json.Key("reason").String(ready.message()).EndObject();
  co_return response;
}

}  // namespace xcloud
