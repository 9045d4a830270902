// GET /openapi.json: the document about what is loaded now.
#include "http/endpoints/endpoints.h"
#include "http/openapi/document.h"

namespace xcloud {

Task<Response> HandleOpenApi(RequestContext& context) {
  const InferenceService& service = context.server().service;
  Response response =
      JsonResponse(WriteOpenApi({Routes(), service.List(), service.Devices(), WebAssets()}));
  response.headers.emplace_back("Cache-Control", "no-cache");
  co_return response;
}

}  // namespace xcloud
