// The endpoints: each a coroutine on its connection's io thread, each in a file of its own (those
// of one subject share one). A new one is one function here, its file and one row in routes.cpp.
#pragma once

#include "http/asio_types.h"
#include "http/request_context.h"
#include "http/response.h"

namespace xcloud {

Task<Response> HandleInfer(RequestContext& context);  // infer.cpp
Task<Response> HandleEnrol(RequestContext& context);  // gallery.cpp
Task<Response> HandleRemoveEntry(RequestContext& context);
Task<Response> HandleGallery(RequestContext& context);
Task<Response> HandleRow(RequestContext& context);  // rows.cpp
Task<Response> HandleRowPage(RequestContext& context);
Task<Response> HandleServicePage(RequestContext& context);  // pages.cpp
Task<Response> HandleIndexPage(RequestContext& context);
Task<Response> HandleAsset(RequestContext& context);
Task<Response> HandleDocsPage(RequestContext& context);
Task<Response> HandleOpenApi(RequestContext& context);      // openapi.cpp
Task<Response> HandleServiceList(RequestContext& context);  // services.cpp
Task<Response> HandleService(RequestContext& context);
Task<Response> HandleDeviceList(RequestContext& context);  // devices.cpp
Task<Response> HandleDevice(RequestContext& context);
Task<Response> HandleBatching(RequestContext& context);  // admin.cpp
Task<Response> HandleChangeBatching(RequestContext& context);
Task<Response> HandleLoad(RequestContext& context);
Task<Response> HandleUnload(RequestContext& context);
Task<Response> HandleV2Infer(RequestContext& context);  // v2_infer.cpp
Task<Response> HandleLive(RequestContext& context);     // health.cpp
Task<Response> HandleReady(RequestContext& context);
Task<Response> HandleMetrics(RequestContext& context);  // metrics.cpp

// The Open Inference Protocol.
Task<Response> HandleV2Server(RequestContext& context);  // v2_server.cpp
Task<Response> HandleV2Live(RequestContext& context);
Task<Response> HandleV2Ready(RequestContext& context);
Task<Response> HandleV2Model(RequestContext& context);  // v2_models.cpp
Task<Response> HandleV2ModelReady(RequestContext& context);
Task<Response> HandleV2ModelConfig(RequestContext& context);
Task<Response> HandleV2ModelStats(RequestContext& context);
Task<Response> HandleV2AllStats(RequestContext& context);
Task<Response> HandleV2Index(RequestContext& context);  // v2_repository.cpp
Task<Response> HandleV2RepositoryIndex(RequestContext& context);
Task<Response> HandleV2Load(RequestContext& context);
Task<Response> HandleV2Unload(RequestContext& context);
Task<Response> HandleV2Logging(RequestContext& context);  // v2_logging.cpp
Task<Response> HandleV2ChangeLogging(RequestContext& context);
Task<Response> HandleV2Trace(RequestContext& context);

// TorchServe.
Task<Response> HandlePing(RequestContext& context);  // torchserve.cpp
Task<Response> HandlePrediction(RequestContext& context);
Task<Response> HandleModelList(RequestContext& context);  // torchserve_models.cpp
Task<Response> HandleModelDescription(RequestContext& context);

}  // namespace xcloud
