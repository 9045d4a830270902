// GET /metrics: the registry as Prometheus text.
#include "http/endpoints/endpoints.h"

namespace xcloud {

Task<Response> HandleMetrics(RequestContext& context) {
  Response response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = context.server().metrics.Render();
  co_return response;
}

}  // namespace xcloud
