#include "http/error_form.h"

#include <chrono>

#include "http/json_writer.h"

namespace xcloud {
namespace {

bool IsBelow(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

// TorchServe's names for what went wrong.
std::string_view TorchServeType(int status) {
  switch (status) {
    case 404:
      return "ModelNotFoundException";
    case 405:
      return "MethodNotAllowedException";
    case 413:
      return "RequestEntityTooLargeException";
    case 429:
    case 503:
      return "ServiceUnavailableException";
    case 408:
    case 504:
      return "RequestTimeoutException";
    default:
      return status < 500 ? "BadRequestException" : "InternalServerException";
  }
}

}  // namespace

ErrorForm ErrorFormOf(std::string_view path) {
  if (IsBelow(path, "/v2")) return ErrorForm::kProtocol;
  for (const char* root : {"/predictions", "/models", "/ping"}) {
    if (IsBelow(path, root)) return ErrorForm::kTorchServe;
  }
  return ErrorForm::kXCloud;
}

std::string WriteError(const HttpError& error, Duration elapsed, ErrorForm form,
                       std::string_view trace_id) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  switch (form) {
    case ErrorForm::kXCloud:
      json.Key("code").Integer(error.code).Key("msg").String(error.message).Key("data").Null();
      json.Key("elapse").Fixed(std::chrono::duration<double>(elapsed).count(), 6);
      break;
    case ErrorForm::kProtocol:
      json.Key("error").String(error.message);
      break;
    case ErrorForm::kTorchServe:
      json.Key("code").Integer(error.status).Key("type").String(TorchServeType(error.status));
      json.Key("message").String(error.message);
      break;
  }
  if (!trace_id.empty()) json.Key("trace_id").String(trace_id);
  json.EndObject();
  return body;
}

}  // namespace xcloud
