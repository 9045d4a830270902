// ServiceInfo of a folder of the repository: what http tells about it. Pure functions; any thread.
#pragma once

#include <string>

#include "core/inference_service.h"
#include "models/repository.h"

namespace xcloud {

// Puts the knobs that http shows or uses into `info`.
void TakeLimits(const BatchLimits& limits, ServiceInfo& info);

// `reason`: why it is in that state; empty for kReady.
ServiceInfoPtr MakeServiceInfo(const RepositoryEntry& entry, const BatchLimits& limits,
                               ServiceState state, std::string reason);

// The same service, run by `backend` (LoadedModel::backend).
ServiceInfoPtr WithBackend(const ServiceInfo& info, const std::string& backend);

}  // namespace xcloud
