// GET /metrics: the registry as Prometheus text; 404 where server.metrics is false.
#include "http/endpoints/endpoints.h"

namespace xcloud {

Task<Response> HandleMetrics(RequestContext& context) {
  if (!context.server().config.metrics) {
    co_return context.Fail(MakeHttpError(404, "metrics are off: server.metrics is false"));
  }
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = context.server().metrics.Render();
  co_return response;
}

}  // namespace xcloud
