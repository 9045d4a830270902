// FetchEnd: how a fetch ended, for the metrics and for the caller. A value.
#pragma once

#include <string>
#include <utility>

#include "core/result.h"
#include "http/fetch/fetch_metrics.h"

namespace xcloud {

struct FetchEnd {
  FetchOutcome outcome = FetchOutcome::kOk;
  Result<std::string> photo;
};

// A host that does not exist and one that leads to a refused address are told in the same words,
// here and in the metrics:
// the difference would let callers map the names of the server's own network.
inline Status NoPublicAddress() {
  return Status::InvalidArgument(
      "the photo's host has no address, or not only addresses of the public internet");
}

}  // namespace xcloud
