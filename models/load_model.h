// LoadModel: from a folder of the repository to a model that is warm on every lane.
#pragma once

#include <memory>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/clock.h"
#include "core/result.h"
#include "models/loaded_model.h"
#include "models/network.h"
#include "models/repository.h"

namespace xcloud {

struct WarmModel {
  std::unique_ptr<LoadedModel> model;  // all but its id, which the scheduler gives
  std::vector<ProfilePoint> profile;   // slowest lane of each device, by batch size
};

// Takes seconds; meant for a thread of its own. Each device's part runs on a short-lived thread
// prepared like that device's lanes, so that warming sees the thread count and CUDA device that
// serving will, but niced (+10) if `beside_serving`, and threads that it starts inside LibTorch
// inherit that: lanes keep serving other models meanwhile. A version that `xcloud model optimize`
// has a variant of for this host is served as that variant; where that cannot be, as its publisher
// made it, with a warning (model->backend tells which). Errors: what Device::MakeNetworks and
// WarmUp say. REQUIRES: entry.state is kLoading.
Result<WarmModel> LoadModel(const RepositoryEntry& entry,
                            const std::vector<std::unique_ptr<Device>>& devices, const Clock& clock,
                            bool beside_serving = true);

}  // namespace xcloud
