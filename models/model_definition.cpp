#include "models/model_definition.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/option_table.h"
#include "core/priority_name.h"
#include "core/toml_reader.h"
#include "models/echo_inputs.h"
#include "models/labels.h"
#include "models/tensor_sections.h"

namespace xcloud {
namespace {

constexpr std::int64_t kMaxSide = 4096;         // pixels of a network's input
constexpr std::int64_t kMaxBatch = 1024;        // items
constexpr double kMaxGoalMs = 3'600'000;        // an hour
constexpr double kMaxNullMs = 60'000;           // the null backend only plays for so long
constexpr std::size_t kMaxFileBytes = 8 << 20;  // of model.toml or labels.txt
constexpr const char* kCannotRead =
    ": there is no such file, or it cannot be read, or it is over 8 MiB";

// The sections as TOML has them. Each default is the one that the documentation prints.
struct AboutKeys {
  std::string title;
  std::string description;
  std::string source;
  std::string install;
  std::string group = "cv";
  bool internal = false;
};

struct ModelKeys {
  std::string backend = "auto";
  std::string file = "model.pt";
  std::string network;
};

struct PreprocessKeys {
  std::string resize_mode = "short_side";
  std::int64_t resize = 256;
  std::int64_t resize_width = 0;
  std::int64_t resize_height = 0;
  std::int64_t crop = 224;
  std::int64_t crop_width = 0;
  std::int64_t crop_height = 0;
  std::string color = "rgb";
  std::string layout = "nchw";
  double scale = 1.0 / 255;
  std::vector<double> mean = {0.485, 0.456, 0.406};
  std::vector<double> std = {0.229, 0.224, 0.225};
  bool reduced_decode = true;
};

struct AnswerKeys {
  std::string activation = "softmax";
  std::string label_key = "category";
  std::string index_key;
  std::string probability_key = "prob";
  std::int64_t decimals = 4;
  std::int64_t top_k = 5;
  double threshold = 0;
  std::int64_t index_base = 0;
  std::string order = "label_first";
};

struct ProtocolKeys {
  std::string input_type = "bytes";
};

struct BatchingKeys {
  std::int64_t max_batch = 8;
  std::int64_t queue_capacity = 256;
  double max_queue_delay_ms = 0;
  bool defer = false;
  std::string priority = "normal";
  double patience_ms = 2000;
};

struct LatencyKeys {
  double goal_ms = 0;
};

struct NullKeys {
  double base_ms = 0;
  double item_ms = 0;
};

struct ModelToml {
  AboutKeys about;
  ModelKeys model;
  PreprocessKeys preprocess;
  AnswerKeys answer;
  ProtocolKeys protocol;
  BatchingKeys batching;
  LatencyKeys latency;
  NullKeys null;
  std::vector<EchoTensor> inputs;
};

void VisitAbout(OptionVisitor& v, AboutKeys& c) {
  v.Text({"title", "name for people, on pages; empty = the folder's name", ""}, c.title, {});
  v.Text({"description", "one or two sentences for its page", ""}, c.description, {});
  v.Text({"source", "where the weights come from, and their licence", ""}, c.source, {});
  v.Text({"install", "how to get weights that are not there: what its 503 tells", ""}, c.install,
         {});
  v.Text({"group", "first part of its route: /cv/NAME for pictures, /dm/NAME for data", ""},
         c.group, {"cv", "dm"});
  v.Flag({"internal", "a stage of other services: served under /v2, not shown on pages", ""},
         c.internal);
}

void VisitModel(OptionVisitor& v, ModelKeys& c) {
  v.Text({"backend",
          "what runs the file; auto: what fits its ending, and a faster variant that `xcloud model "
          "optimize` has found on this host; native: a network of the zoo with weights; null "
          "answers without a network, for benchmarks; echo gives its [[input]] back, for trying "
          "clients; brisque: a measure of a photo's quality; pipeline: other models, one after the "
          "other",
          ""},
         c.backend,
         {"auto", "torchscript", "openvino", "aotinductor", "native", "null", "echo", "brisque",
          "pipeline"});
  v.Text({"file", "weights, in NAME/VERSION/; [versions] says which VERSION is served", ""}, c.file,
         {});
  v.Text({"network", "of the zoo, whose weights `file` holds; backend native, or auto", ""},
         c.network, {});
}

void VisitPreprocess(OptionVisitor& v, PreprocessKeys& c) {
  v.Text({"resize_mode",
          "short_side: the short side becomes `resize`, the other in proportion; "
          "squash: both sides are set, whatever the proportions",
          "must be what the network was trained with"},
         c.resize_mode, {"short_side", "squash"});
  v.Integer({"resize", "pixels", "likewise"}, c.resize, 1, kMaxSide);
  v.Integer({"resize_width", "pixels, squash only; 0 = `resize`", ""}, c.resize_width, 0, kMaxSide);
  v.Integer({"resize_height", "likewise", ""}, c.resize_height, 0, kMaxSide);
  v.Integer({"crop", "pixels; side of the centred crop, the network's input", "likewise"}, c.crop,
            1, kMaxSide);
  v.Integer({"crop_width", "pixels, of an oblong crop; 0 = `crop`", ""}, c.crop_width, 0, kMaxSide);
  v.Integer({"crop_height", "likewise", ""}, c.crop_height, 0, kMaxSide);
  v.Text({"color", "order of the network's channels; mean and std follow it",
          "the wrong one costs accuracy and shows nowhere else"},
         c.color, {"rgb", "bgr"});
  v.Text({"layout", "of the network's input: channels first or last", ""}, c.layout,
         {"nchw", "nhwc"});
  v.Number({"scale", "value = (pixel * scale - mean) / std; 1/255 for inputs of 0 to 1", ""},
           c.scale, 1e-6, 1e3);
  v.Numbers({"mean", "one for each channel, in `color`'s order", "likewise"}, c.mean, 3, -1e4, 1e4);
  v.Numbers({"std", "likewise", "likewise"}, c.std, 3, 1e-6, 1e4);
  v.Flag({"reduced_decode",
          "decode JPEGs at 1/2, 1/4 or 1/8 where that keeps twice the resize target: photos of "
          "many megapixels several times faster",
          "values then differ by a few levels from a full decode; false = equal to Pillow"},
         c.reduced_decode);
}

void VisitAnswer(OptionVisitor& v, AnswerKeys& c) {
  v.Text({"activation", "softmax: the network gives logits; none: it gives probabilities",
          "the wrong one gives wrong probabilities"},
         c.activation, {"softmax", "none"});
  v.Text({"label_key", "JSON key of a label", ""}, c.label_key, {});
  v.Text({"index_key", "JSON key of its row in labels.txt; empty = not written", ""}, c.index_key,
         {});
  v.Integer({"index_base", "what the first row is written as", ""}, c.index_base, 0, 1);
  v.Text({"probability_key", "JSON key of its probability", ""}, c.probability_key, {});
  v.Integer({"decimals", "digits after the point of a probability", ""}, c.decimals, 1, 9);
  v.Integer({"top_k", "labels in an answer when the caller names no k", ""}, c.top_k, 1, 1000);
  v.Number({"threshold", "a likeliest label below it answers one item \"Unknown\"; 0 = never", ""},
           c.threshold, 0, 1);
  v.Text({"order", "which of the two keys is written first", ""}, c.order,
         {"label_first", "probability_first"});
}

void VisitProtocol(OptionVisitor& v, ProtocolKeys& c) {
  v.Text({"input_type",
          "what the metadata of /v2 says of the input: encoded photos, pixels of the network's "
          "size, or its normalised input; all three are taken whatever it says",
          ""},
         c.input_type, {"bytes", "uint8", "fp32"});
}

void VisitBatching(OptionVisitor& v, BatchingKeys& c) {
  v.Integer({"max_batch", "photos that may run together",
             "each doubling is warmed at the start; a CPU gains little above 8"},
            c.max_batch, 1, kMaxBatch);
  v.Integer({"queue_capacity", "photos that may wait; one more is 429; at least max_batch",
             "each holds its pixels, 150 KB at 224 x 224"},
            c.queue_capacity, 1, 1'000'000);
  v.Number({"max_queue_delay_ms", "how long a free lane may wait for a fuller batch; 0 = never",
            "added to the latency of quiet hours"},
           c.max_queue_delay_ms, 0, 10'000);
  v.Flag({"defer", "wait for a fuller batch as long as every deadline allows",
          "measured: a few per cent more throughput for several times the latency, and much less "
          "throughput where models share a device"},
         c.defer);
  v.Text({"priority", "of requests that name none; high goes before normal before low", ""},
         c.priority, {"high", "normal", "low"});
  v.Number({"patience_ms",
            "requests without a deadline are served in the order as if theirs were this long "
            "after they came",
            "longer lets those with deadlines pass them more often"},
           c.patience_ms, 1, 600'000);
}

void VisitLatency(OptionVisitor& v, LatencyKeys& c) {
  v.Number({"goal_ms", "deadline of requests that name none, from the first byte; 0 = none",
            "too short answers 504 or 429 where patience would have got a label"},
           c.goal_ms, 0, kMaxGoalMs);
}

void VisitNull(OptionVisitor& v, NullKeys& c) {
  v.Number({"base_ms", "of backends null and echo: a batch of n takes base_ms + item_ms * n", ""},
           c.base_ms, 0, kMaxNullMs);
  v.Number({"item_ms", "likewise", ""}, c.item_ms, 0, kMaxNullMs);
}

// Reads one section and, with the reader still open, lets `check` look across its keys.
template <class Knobs, class Check>
void ReadSection(TomlReader& root, std::string_view name, const std::string& file,
                 void (*visit)(OptionVisitor&, Knobs&), Knobs& knobs,
                 std::vector<std::string>& errors, Check check) {
  const toml::table* table = root.Section(name);
  if (table == nullptr) return;
  TomlReader reader(*table, file, std::string(name), errors);
  visit(reader, knobs);
  check(reader);
  reader.Finish();
}

void CheckModel(TomlReader& reader, const ModelKeys& c) {
  const bool plain = !c.file.empty() && c.file.front() != '.' &&
                     c.file.find_first_of("/\\") == std::string::npos && IsPlainUtf8(c.file);
  if (!plain) reader.Fail("file", "must be the name of a file, without a folder");
  ModelDefinition named;
  named.backend = c.backend;
  named.file = c.file;
  const bool native = named.reference_backend() == "native";
  if (native && c.network.empty()) {
    reader.Fail(reader.Has("file") ? "file" : "backend",
                "weights of a native network need `network`, its name in the zoo");
  }
  if (!native && !c.network.empty()) {
    reader.Fail("network", "only with backend = \"native\", or auto and a file of weights");
  }
}

void CheckPreprocess(TomlReader& reader, const PreprocessKeys& c) {
  if (c.resize_mode == "short_side") {
    for (const char* key : {"resize_width", "resize_height"}) {
      if (reader.Has(key)) reader.Fail(key, "only with resize_mode = \"squash\"");
    }
  }
  const bool squash = c.resize_mode == "squash";
  const std::int64_t width = squash && c.resize_width > 0 ? c.resize_width : c.resize;
  const std::int64_t height = squash && c.resize_height > 0 ? c.resize_height : c.resize;
  const std::int64_t crop_width = c.crop_width > 0 ? c.crop_width : c.crop;
  const std::int64_t crop_height = c.crop_height > 0 ? c.crop_height : c.crop;
  if (crop_width > width || crop_height > height) {
    reader.Fail(reader.Has("crop") ? "crop" : "resize",
                "the crop of " + std::to_string(crop_width) + " x " + std::to_string(crop_height) +
                    " does not fit into the resized photo of " + std::to_string(width) + " x " +
                    std::to_string(height));
  }
}

void CheckAnswer(TomlReader& reader, const AnswerKeys& c) {
  if (c.label_key.empty()) reader.Fail("label_key", "must not be empty");
  if (c.probability_key.empty()) reader.Fail("probability_key", "must not be empty");
  if (c.label_key == c.probability_key) {
    reader.Fail("probability_key", "must differ from label_key");
  }
  if (!c.index_key.empty() && (c.index_key == c.label_key || c.index_key == c.probability_key)) {
    reader.Fail("index_key", "must differ from label_key and probability_key");
  }
}

void CheckBatching(TomlReader& reader, const BatchingKeys& c) {
  if (c.queue_capacity < c.max_batch) {
    reader.Fail(reader.Has("queue_capacity") ? "queue_capacity" : "max_batch",
                "a queue of " + std::to_string(c.queue_capacity) + " cannot hold a batch of " +
                    std::to_string(c.max_batch));
  }
}

ModelToml ReadModelToml(const toml::table& table, TomlReader& root, const std::string& file,
                        std::vector<std::string>& errors) {
  ModelToml read;
  VisitAbout(root, read.about);
  ReadSection(root, "model", file, VisitModel, read.model, errors,
              [&](TomlReader& r) { CheckModel(r, read.model); });
  ReadSection(root, "preprocess", file, VisitPreprocess, read.preprocess, errors,
              [&](TomlReader& r) { CheckPreprocess(r, read.preprocess); });
  ReadSection(root, "answer", file, VisitAnswer, read.answer, errors,
              [&](TomlReader& r) { CheckAnswer(r, read.answer); });
  ReadSection(root, "protocol", file, VisitProtocol, read.protocol, errors, [](TomlReader&) {});
  ReadSection(root, "batching", file, VisitBatching, read.batching, errors,
              [&](TomlReader& r) { CheckBatching(r, read.batching); });
  ReadSection(root, "latency", file, VisitLatency, read.latency, errors, [](TomlReader&) {});
  ReadSection(root, "null", file, VisitNull, read.null, errors, [](TomlReader&) {});
  const bool synthetic = read.model.backend == "null" || read.model.backend == "echo";
  if (root.Has("null") && !synthetic) {
    root.Fail("null", "only with backend = \"null\" or \"echo\"");
  }
  if (read.model.backend == "echo") read.inputs = ReadEchoInputs(table, root, file, errors);
  return read;
}

PreprocessSpec ToSpec(const PreprocessKeys& c) {
  const auto side = [](std::int64_t value, std::int64_t fallback) {
    return static_cast<int>(value > 0 ? value : fallback);
  };
  PreprocessSpec spec;
  spec.mode = c.resize_mode == "squash" ? ResizeMode::kSquash : ResizeMode::kShortSide;
  spec.resize_width = side(c.resize_width, c.resize);
  spec.resize_height = side(c.resize_height, c.resize);
  spec.crop_width = side(c.crop_width, c.crop);
  spec.crop_height = side(c.crop_height, c.crop);
  spec.color = c.color == "bgr" ? ColorOrder::kBgr : ColorOrder::kRgb;
  spec.layout = c.layout == "nhwc" ? TensorLayout::kNhwc : TensorLayout::kNchw;
  spec.scale = static_cast<float>(c.scale);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    spec.mean[channel] = static_cast<float>(c.mean[channel]);
    spec.std[channel] = static_cast<float>(c.std[channel]);
  }
  return spec;
}

ModelDefinition ToDefinition(std::string_view name, const ModelToml& read) {
  ModelDefinition model;
  model.name = name;
  model.title = read.about.title.empty() ? std::string(name) : read.about.title;
  model.description = read.about.description;
  model.source = read.about.source;
  model.install = read.about.install;
  model.group = read.about.group;
  model.internal = read.about.internal;
  model.backend = read.model.backend;
  model.file = read.model.file;
  model.network = read.model.network;
  model.preprocess = ToSpec(read.preprocess);
  model.reduced_decode = read.preprocess.reduced_decode;
  model.activation = read.answer.activation == "none" ? Activation::kNone : Activation::kSoftmax;
  model.answer.label_key = read.answer.label_key;
  model.answer.index_key = read.answer.index_key;
  model.answer.probability_key = read.answer.probability_key;
  model.answer.decimals = static_cast<int>(read.answer.decimals);
  model.answer.top_k = static_cast<int>(read.answer.top_k);
  model.answer.threshold = read.answer.threshold;
  model.answer.index_base = static_cast<int>(read.answer.index_base);
  model.answer.probability_first = read.answer.order == "probability_first";
  model.image_type = read.protocol.input_type == "uint8"  ? DataType::kUint8
                     : read.protocol.input_type == "fp32" ? DataType::kFp32
                                                          : DataType::kBytes;
  model.echo = read.inputs;
  model.batching.max_batch = static_cast<std::size_t>(read.batching.max_batch);
  model.batching.queue_capacity = static_cast<std::size_t>(read.batching.queue_capacity);
  model.batching.max_queue_delay = FromMilliseconds(read.batching.max_queue_delay_ms);
  model.batching.defer = read.batching.defer;
  model.batching.priority = ParsePriority(read.batching.priority).value_or(Priority::kNormal);
  model.batching.patience = FromMilliseconds(read.batching.patience_ms);
  model.batching.latency_goal = FromMilliseconds(read.latency.goal_ms);
  model.null_backend = {read.null.base_ms, read.null.item_ms};
  return model;
}

ModelDefinition ReadDefinition(std::string_view name, const toml::table& table,
                               const std::string& file, std::vector<std::string>& errors) {
  TomlReader root(table, file, "", errors);
  ModelDefinition model = ToDefinition(name, ReadModelToml(table, root, file, errors));
  ReadTensorSections(root, file, model, errors);
  model.versions = ReadVersionPolicy(root, file, errors);
  ReadPipelineSection(root, file, model, errors);
  root.Finish();
  return model;
}

std::size_t ItemValues(const TensorSpec& spec) {
  const std::vector<std::int64_t> item(spec.dims.begin() + 1, spec.dims.end());
  return static_cast<std::size_t>(ElementCount(item).value_or(0));
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "\n") + line;
  return all;
}

std::optional<std::string> ReadWhole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFileBytes) return std::nullopt;
  return text;
}

}  // namespace

bool IsModelName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string_view ModelDefinition::reference_backend() const {
  if (backend != "auto") return backend;
  const std::string ending = std::filesystem::path(file).extension().string();
  if (ending == ".onnx" || ending == ".xml") return "openvino";
  if (ending == ".pt2") return "aotinductor";
  const bool weights = ending == ".safetensors" || ending == ".pth" || ending == ".ckpt";
  return weights ? "native" : "torchscript";
}

std::size_t ModelDefinition::item_values() const {
  return tensor_input ? ItemValues(*tensor_input) : preprocess.PixelBytes();
}

std::size_t ModelDefinition::score_count() const {
  if (echoes()) return 0;
  return values_output ? ItemValues(*values_output) : labels.size();
}

std::string ModelDefinition::ScoresDeclared() const {
  const std::string count = std::to_string(score_count());
  return values_output ? name + "/model.toml: [output] declares " + count + " values"
                       : name + "/labels.txt names " + count + " labels";
}

Result<ModelDefinition> ParseModelDefinition(std::string_view name, std::string_view toml,
                                             std::optional<std::string_view> labels) {
  const std::string file = std::string(name) + "/model.toml";
  std::vector<std::string> errors;
  ModelDefinition model;
  if (const Result<toml::table> table = ParseToml(toml, file); table.ok()) {
    model = ReadDefinition(name, *table, file, errors);
  } else {
    errors.push_back(table.status().message());
  }
  const std::string labels_file = std::string(name) + "/labels.txt";
  if (labels) {
    Result<std::vector<std::string>> parsed = ParseLabels(*labels, labels_file);
    if (!parsed.ok()) errors.push_back(parsed.status().message());
    if (parsed.ok()) model.labels = *std::move(parsed);
  } else if (!model.echoes() && !model.is_pipeline() && !model.values_output) {
    errors.push_back(labels_file + kCannotRead);
  }
  if (!errors.empty()) return Status::InvalidArgument(Joined(errors));
  return model;
}

Result<ModelDefinition> ReadModelDefinition(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  const std::optional<std::string> toml = ReadWhole(folder / "model.toml");
  const std::optional<std::string> labels = ReadWhole(folder / "labels.txt");
  if (!toml) {
    const std::string why = name + "/model.toml" + kCannotRead;
    return Status::InvalidArgument(labels ? why : why + "\n" + name + "/labels.txt" + kCannotRead);
  }
  Result<ModelDefinition> model = ParseModelDefinition(name, *toml, labels);
  if (model.ok()) model->folder = folder;
  return model;
}

std::string DescribeModelToml() {
  std::string out;
  AppendOptionTable(out, "Above the first section", VisitAbout);
  AppendOptionTable(out, "[model]", VisitModel);
  AppendOptionTable(out, "[preprocess]", VisitPreprocess);
  AppendOptionTable(out, "[answer]", VisitAnswer);
  AppendOptionTable(out, "[protocol]", VisitProtocol);
  AppendOptionTable(out, "[batching]", VisitBatching);
  AppendOptionTable(out, "[latency]", VisitLatency);
  AppendOptionTable(out, "[null]", VisitNull);
  AppendTensorSectionTables(out);
  AppendVersionsTable(out);
  AppendPipelineTable(out);
  AppendEchoInputTable(out);
  return out;
}

}  // namespace xcloud
