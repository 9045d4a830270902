// PublishRequest: what is to be published, as the command line gives it, and everything that can
// be found wrong with it before a network is loaded.
//
// Pure but for looking at files. Any thread. Nothing is thrown.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

struct PublishRequest {
  std::string name;            // the service's
  std::string network;         // of the zoo: `file` then holds its weights; empty = a whole model
  std::filesystem::path file;  // .safetensors .pth .ckpt, or .pt .onnx
  std::filesystem::path labels;
  std::string preset;  // of ListPresets; empty = the first
  // Keys of [preprocess] that differ from the preset, as TOML values: {"resize", "232"}.
  std::map<std::string, std::string> preprocess;
  std::string activation;  // empty = softmax
  std::string title, description, source;
  std::vector<std::filesystem::path> photos;  // files, or folders of them
  std::filesystem::path repository;
  std::int64_t version = 0;  // 0 = one above the highest that is there
  double tolerance = 2e-3;   // of a probability
  std::filesystem::path python, checker;
};

struct Preset {
  std::string_view name;
  std::string_view description;
  std::string_view toml;  // lines of [preprocess]
};
const std::vector<Preset>& ListPresets();

// What will be written and where, after all checks.
struct PublishPlan {
  ModelDefinition definition;
  std::string model_toml;   // of a new service; empty = the service is there and keeps its own
  std::string labels_text;  // likewise
  std::string version;
  std::vector<std::filesystem::path> photos;  // files, by name
};

// InvalidArgument holds every reason, one a line; AlreadyExists when only the version is taken.
Result<PublishPlan> CheckRequest(const PublishRequest& request);

}  // namespace xcloud
