// ModelDefinition: what one folder of the repository declares: its model.toml and labels.txt.
// Plain values, checked when they were read; nothing here is loaded yet.
//
// Each key is declared once, in model_definition.cpp or echo_inputs.cpp, with its range, effect and
// danger; from that the file is read, and models/README.md's table is made. Pure functions but for
// the one that reads files; any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/inference_service.h"
#include "core/result.h"
#include "core/tensor.h"
#include "models/pipeline/spec.h"
#include "models/preprocess_spec.h"
#include "models/version_policy.h"

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

// One input of the echo backend, and the output that repeats it.
struct EchoTensor {
  TensorSpec input;
  std::string output;
};

struct ModelDefinition {
  std::string name;              // folder name: [a-z0-9_-]+
  std::filesystem::path folder;  // that folder
  std::string title;
  std::string description;
  std::string source;             // where the weights come from, and their licence
  std::string install;            // how to get them; empty = 'make weights'
  std::string group = "cv";       // first part of its route
  bool internal = false;          // a stage of other services
  std::string backend;            // "auto", "torchscript", ... as [model] lists them
  std::string file = "model.pt";  // inside folder/VERSION/
  std::string network;            // of the zoo; backend native only
  PreprocessSpec preprocess;
  bool reduced_decode = true;  // large JPEGs may be decoded at a part of their size
  Activation activation = Activation::kSoftmax;
  AnswerForm answer;
  std::vector<std::string> labels;  // row = output index
  BatchLimits batching;
  NullBackendSpec null_backend;             // backends null and echo
  DataType image_type = DataType::kBytes;   // what the metadata says of "image"
  std::vector<EchoTensor> echo;             // backend = "echo" only; then there is one at least
  std::optional<TensorSpec> tensor_input;   // FP32 [-1, ...] in place of photos
  std::optional<TensorSpec> values_output;  // FP32 [-1, ...] in place of labels
  VersionPolicy versions;
  PipelineSpec pipeline;  // backend = "pipeline" only

  // What runs `file` itself: `backend`, or for "auto" what its ending says: "torchscript" (.pt),
  // "native" (.safetensors, .pth, .ckpt), "openvino" (.onnx, .xml), "aotinductor" (.pt2).
  std::string_view reference_backend() const;
  bool echoes() const { return backend == "echo"; }
  // Its answers come from other models: it has no network, file or version of its own.
  bool is_pipeline() const { return backend == "pipeline"; }
  // Runs on a lane's own thread, on a device of any kind: it wants pixels in the host's memory.
  bool on_host() const { return backend == "brisque"; }
  // A photo can be turned into its input.
  bool of_pictures() const { return !echoes() && !tensor_input; }
  // As its metadata says: a model of pictures takes photos whatever it declares.
  bool takes_photos() const { return of_pictures() && image_type == DataType::kBytes; }
  bool synthetic() const { return backend == "null" || echoes(); }
  // Floats of an item, as its network takes it and as it gives it.
  std::size_t item_values() const;
  std::size_t score_count() const;
  // Of score_count(): "labels.txt names 1000 labels", "[output] declares 128 values".
  std::string ScoresDeclared() const;
};

// A folder of this name becomes a service: [a-z0-9_-]+, so a name is safe in paths and routes.
bool IsModelName(std::string_view name);

// Reads folder/model.toml and folder/labels.txt, which is needed where there is something to name:
// not by an echo model, a pipeline, or a model of values. InvalidArgument
// holds every wrong line of both, one a line, each "NAME/model.toml:3: section.key: why".
Result<ModelDefinition> ReadModelDefinition(const std::filesystem::path& folder);

// The same from texts; `name` goes into the messages.
Result<ModelDefinition> ParseModelDefinition(std::string_view name, std::string_view toml,
                                             std::optional<std::string_view> labels);

// The keys of model.toml as Markdown tables: what models/README.md holds.
std::string DescribeModelToml();

}  // namespace xcloud
