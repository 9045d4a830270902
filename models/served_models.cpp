#include "models/served_models.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "models/version_policy.h"

namespace xcloud {
namespace {

std::vector<std::string> LabelsOf(const ServedService& service, std::int64_t number) {
  std::vector<std::string> labels;
  for (const auto& [label, version] : service.labels) {
    if (version == number) labels.push_back(label);
  }
  return labels;
}

std::vector<VersionState> StatesOf(const ServedService& service) {
  std::vector<VersionState> states;
  for (const auto& [number, version] : service.versions) {
    states.push_back({std::to_string(number), version.info->state, version.info->reason,
                      LabelsOf(service, number)});
  }
  return states;
}

// What to say while the version that requests get by default does not answer and others do.
std::string StableIsNotReady(const ServedService& service, std::int64_t number) {
  std::string why = "its stable version " + std::to_string(number) + " is not ready";
  const auto found = service.versions.find(number);
  if (found != service.versions.end() && !found->second.info->reason.empty()) {
    why += ": " + found->second.info->reason;
  }
  return why + "; it serves " + ServedVersions(StatesOf(service));
}

}  // namespace

const ServedService* FindService(const ServiceMap& map, std::string_view name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

ServiceInfoPtr WithState(const ServiceInfo& old, ServiceState state, std::string reason) {
  auto info = std::make_shared<ServiceInfo>(old);
  info->state = state;
  info->reason = std::move(reason);
  return info;
}

std::int64_t DefaultVersion(const ServedService& service) {
  const auto answers = [](const auto& entry) { return entry.second.model != nullptr; };
  if (std::none_of(service.versions.begin(), service.versions.end(), answers)) return 0;
  const auto stable = service.labels.find(kDefaultLabel);
  if (stable != service.labels.end()) return stable->second;
  return std::find_if(service.versions.rbegin(), service.versions.rend(), answers)->first;
}

Result<const ServedVersion*> ResolveVersion(const ServedService& service,
                                            std::string_view version) {
  std::int64_t number = VersionNumber(version);
  const auto label = service.labels.find(version);
  if (label != service.labels.end()) number = label->second;
  const auto found = service.versions.find(number);
  if (found != service.versions.end()) return &found->second;
  constexpr std::size_t kMaxShownBytes = 64;
  const char* kind = IsVersionLabel(version) ? "version or label" : "version";
  return Status::NotFound("service '" + service.info->name + "' has no " + kind + " '" +
                          std::string(version.substr(0, kMaxShownBytes)) + "'; it serves " +
                          ServedVersions(StatesOf(service)));
}

void Refresh(ServedService& service) {
  const std::vector<VersionState> states = StatesOf(service);
  for (auto& [number, version] : service.versions) {
    auto info = std::make_shared<ServiceInfo>(*version.info);
    info->versions = states;
    version.info = std::move(info);
  }
  const std::int64_t chosen = DefaultVersion(service);
  const auto found = service.versions.find(chosen);
  const bool answers = found != service.versions.end() && found->second.model != nullptr;
  auto info = std::make_shared<ServiceInfo>(answers ? *found->second.info : *service.info);
  if (answers) {
    info->reason = service.trouble;
  } else if (chosen != 0) {
    const bool known = found != service.versions.end();
    info->state = known ? found->second.info->state : ServiceState::kFailed;
    info->reason = StableIsNotReady(service, chosen);
  }
  info->versions = states;
  service.info = std::move(info);
}

}  // namespace xcloud
