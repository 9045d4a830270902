// GET /v2: what this server is and which extensions of the protocol it has. GET /v2/health/live
// and /v2/health/ready.
//
// Triton answers health without a body and clients look only at the status; the protocol wants
// JSON, of which texts differ in the key. Both keys are there.
#include "http/endpoints/endpoints.h"
#include "http/json_writer.h"

namespace xcloud {
namespace {

// Only what works. Not here: sequence, model_repository(unload_dependents), the shared memory
// extensions, parameters (a model here takes none of its own), trace.
constexpr std::string_view kExtensions[] = {
    "classification",     "model_repository", "schedule_policy", "model_configuration",
    "binary_tensor_data", "statistics",       "logging"};

Response Health(int status, bool ready) {
  Response response;
  response.status = status;
  JsonWriter json(response.body);
  json.BeginObject().Key("live").Bool(true).Key("ready").Bool(ready).EndObject();
  return response;
}

}  // namespace

Task<Response> HandleV2Server(RequestContext&) {
  Response response;
  JsonWriter json(response.body);
  json.BeginObject().Key("name").String("xcloud").Key("version").String(XCLOUD_VERSION);
  json.Key("extensions").BeginArray();
  for (const std::string_view extension : kExtensions) json.String(extension);
  json.EndArray().EndObject();
  co_return response;
}

Task<Response> HandleV2Live(RequestContext& context) {
  co_return Health(200, context.server().Ready().ok());
}

Task<Response> HandleV2Ready(RequestContext& context) {
  const bool ready = context.server().Ready().ok();
  co_return Health(ready ? 200 : 503, ready);
}

}  // namespace xcloud
