// ModelDefinition: what one folder of the repository declares: its model.toml and labels.txt.
// Plain values, checked when they were read; nothing here is loaded yet.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/inference_service.h"
#include "models/preprocess_spec.h"

namespace xcloud {

enum class Activation {
  kSoftmax,  // the network gives logits
  kNone,     // the network gives probabilities already
};

// The null backend's declared time: a batch of n items takes base_ms + item_ms * n.
struct NullBackendSpec {
  double base_ms = 0;
  double item_ms = 0;
};

struct ModelDefinition {
  std::string name;                // folder name: [a-z0-9_-]+
  std::filesystem::path folder;    // that folder
  std::string title;
  std::string description;
  std::string source;              // where the weights come from, and their licence
  std::string backend;             // "torchscript" or "null"
  std::string file = "model.pt";   // inside folder/VERSION/
  PreprocessSpec preprocess;
  Activation activation = Activation::kSoftmax;
  AnswerForm answer;
  std::vector<std::string> labels;  // row = output index
  BatchLimits batching;
  NullBackendSpec null_backend;     // backend = "null" only
};

}  // namespace xcloud
