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
