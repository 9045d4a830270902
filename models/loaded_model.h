// LoadedModel: a version of a model, loaded and warmed on every lane. Shared by the requests that
// use it, so it lives until the last of them is answered. Constant once published.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/scheduled_request.h"
#include "models/model_definition.h"
#include "models/model_statistics_recorder.h"
#include "models/network.h"

namespace xcloud {

struct LoadedModel {
  ModelDefinition definition;
  std::string version;
  std::string backend;  // what runs it, for people: "torchscript", "openvino fp32"
  ModelId id = 0;       // its queue in the scheduler
  std::vector<std::unique_ptr<Network>> networks;  // by lane position, over all devices
  std::size_t output_size = 0;
  std::shared_ptr<ModelStatisticsRecorder> statistics;  // null: nobody counts
};

}  // namespace xcloud
