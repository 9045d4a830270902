#include "core/inference_service.h"

namespace xcloud {

std::string_view ServiceStateName(ServiceState state) {
  switch (state) {
    case ServiceState::kLoading:
      return "loading";
    case ServiceState::kReady:
      return "ready";
    case ServiceState::kNoWeights:
      return "no_weights";
    case ServiceState::kFailed:
      return "failed";
    case ServiceState::kUnloaded:
      return "unloaded";
  }
  return "unknown";
}

std::vector<VersionState> VersionsOf(const ServiceInfo& info) {
  if (!info.versions.empty()) return info.versions;
  return {{info.version, info.state, info.reason, {}}};
}

std::string ServedVersions(const std::vector<VersionState>& versions) {
  std::string words;
  for (const VersionState& one : versions) {
    if (one.state != ServiceState::kReady) continue;
    std::string labels;
    for (const std::string& label : one.labels) labels += (labels.empty() ? "" : ", ") + label;
    words += (words.empty() ? "" : ", ") + one.version;
    if (!labels.empty()) words += " (" + labels + ")";
  }
  return words.empty() ? "none" : words;
}

std::string_view DeviceStateName(DeviceState state) {
  switch (state) {
    case DeviceState::kReady:
      return "ready";
    case DeviceState::kQuarantined:
      return "quarantined";
    case DeviceState::kProbing:
      return "probing";
  }
  return "unknown";
}

}  // namespace xcloud
