#include "http/v2/model_lookup.h"

#include <algorithm>
#include <string>

namespace xcloud {
namespace {

constexpr std::size_t kMaxShownBytes = 200;  // of a stranger's name in a message

std::string Quoted(std::string_view name) {
  return "'" + std::string(name.substr(0, kMaxShownBytes)) + "'";
}

// A number from 1, or something that may be a label: it begins with a letter.
std::optional<HttpError> CheckVersion(std::string_view version) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool number = std::all_of(version.begin(), version.end(), is_digit);
  const bool zero = version.find_first_not_of('0') == std::string_view::npos;
  const bool label = version.front() >= 'a' && version.front() <= 'z';
  if (label || (number && !zero)) return std::nullopt;
  return MakeHttpError(400, "failed to get model version from specified version string " +
                                Quoted(version) +
                                ", version should be an integral value > 0 or a label");
}

}  // namespace

std::optional<HttpError> CheckModelName(std::string_view name) {
  const bool traversal = name.find_first_of("/\\") != std::string_view::npos || name == "." ||
                         name.find("..") != std::string_view::npos ||
                         name.find('\0') != std::string_view::npos;
  if (!traversal) return std::nullopt;
  return MakeHttpError(400, "model name must not contain path traversal characters");
}

std::optional<HttpError> FindModel(RequestContext& context, ServiceInfoPtr& info) {
  return FindModelVersion(context, context.parameter2, info);
}

std::optional<HttpError> FindModelVersion(RequestContext& context, const std::string& version,
                                          ServiceInfoPtr& info) {
  if (auto error = CheckModelName(context.parameter)) return error;
  if (!version.empty()) {
    if (auto error = CheckVersion(version)) return error;
  }
  const InferenceService& service = context.server().service;
  const ServiceInfoPtr any = service.Find(context.parameter);
  const std::string unknown = "Request for unknown model: " + Quoted(context.parameter);
  if (any == nullptr) return MakeHttpError(404, unknown + " is not found");
  context.model = any->name;
  const Result<ServiceInfoPtr> found = service.FindVersion(context.parameter, version);
  if (found.ok()) {
    info = *found;
    return std::nullopt;
  }
  return MakeHttpError(404, unknown + " version " + version.substr(0, kMaxShownBytes) +
                                " is not found; it serves " + ServedVersions(VersionsOf(*any)));
}

std::optional<HttpError> CheckModelReady(const ServiceInfo& info) {
  if (info.state == ServiceState::kReady) return std::nullopt;
  std::string message = "Request for unknown model: '" + info.name +
                        "' has no available versions: " + std::string(ServiceStateName(info.state));
  if (!info.reason.empty()) message += ", " + info.reason;
  return MakeHttpError(503, message);
}

}  // namespace xcloud
