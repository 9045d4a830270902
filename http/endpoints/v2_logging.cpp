// GET and POST /v2/logging: the process's log level. /v2/trace/setting, which we do not have.
#include "core/log.h"
#include "http/endpoints/endpoints.h"
#include "http/v2/control_json.h"
#include "http/v2/operator_access.h"

namespace xcloud {
namespace {

Response CurrentSettings() {
  return JsonResponse(WriteLogSettings(ToLogSettings(spdlog::get_level())));
}

std::optional<HttpError> CheckMayChange(const RequestContext& context) {
  if (context.worker.server.config.admin == "off") {
    return MakeHttpError(403, "This API is restricted: [server] admin is off");
  }
  return CheckOperator(context, "changing the log");
}

}  // namespace

Task<Response> HandleV2Logging(RequestContext&) {
  co_return CurrentSettings();
}

Task<Response> HandleV2ChangeLogging(RequestContext& context) {
  if (const auto error = CheckMayChange(context)) co_return context.Fail(*error);
  context.body.LimitTo(kMaxControlBytes);
  SharedBytes body;
  const std::optional<HttpError> error = co_await context.body.ReadAll(body);
  if (error) co_return context.Fail(*error);
  const auto level = ReadLogSettings(body.view(), ToLogSettings(spdlog::get_level()));
  if (!level.ok()) co_return context.Fail(ToHttpError(level.status()));
  spdlog::info("v2: the log level becomes {}", spdlog::level::to_string_view(*level));
  spdlog::set_level(*level);
  co_return CurrentSettings();
}

Task<Response> HandleV2Trace(RequestContext& context) {
  co_return context.Fail(MakeHttpError(
      501,
      "tracing is not supported: the server keeps the traceparent of a request and logs its "
      "trace id, and has no trace settings"));
}

}  // namespace xcloud
