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
  }
  return "unknown";
}

}  // namespace xcloud
