#include "models/service_info.h"

#include <memory>
#include <utility>

#include "models/signature.h"

namespace xcloud {

void TakeLimits(const BatchLimits& limits, ServiceInfo& info) {
  info.max_batch = limits.max_batch;
  info.latency_goal = limits.latency_goal;
  info.priority = limits.priority;
}

ServiceInfoPtr MakeServiceInfo(const RepositoryEntry& entry, const BatchLimits& limits,
                               ServiceState state, std::string reason) {
  const ModelDefinition& definition = entry.definition;
  auto info = std::make_shared<ServiceInfo>();
  info->name = definition.name;
  info->route = "/" + definition.group + "/" + definition.name;
  info->internal = definition.internal;
  info->title = definition.title;
  info->description = definition.description;
  info->source = definition.source;
  info->version = entry.version;
  info->backend = definition.backend;
  info->state = state;
  info->reason = std::move(reason);
  info->answer = definition.answer;
  info->label_count = definition.labels.size();
  info->synthetic = definition.synthetic();
  const VersionPolicy& policy = definition.versions;
  info->version_policy = policy.kind == VersionPolicy::Kind::kAll      ? "all"
                         : policy.kind == VersionPolicy::Kind::kListed ? "listed"
                                                                       : "latest";
  info->version_count = policy.count;
  TakeLimits(limits, *info);
  if (definition.backend.empty()) return info;  // its model.toml could not be read
  info->platform = PlatformName(definition);
  info->inputs = InputSpecs(definition);
  info->outputs = OutputSpecs(definition);
  if (!definition.labels.empty()) {
    info->labels = std::make_shared<const std::vector<std::string>>(definition.labels);
  }
  return info;
}

ServiceInfoPtr WithBackend(const ServiceInfo& info, const std::string& backend) {
  auto copy = std::make_shared<ServiceInfo>(info);
  copy->backend = backend;
  return copy;
}

}  // namespace xcloud
