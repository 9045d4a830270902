#include "models/publish/publish_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>

#ifdef XCLOUD_HAS_TORCH
#include "models/zoo/zoo.h"
#endif

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImageNetNorm =
    "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n";

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// A TOML string of any text.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out + "\"";
}

// The preset's lines with the given keys in place of its own.
std::string PreprocessLines(const PublishRequest& request, const Preset& preset) {
  std::string lines;
  std::string_view rest = preset.toml;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(line.size());
    const std::string key(line.substr(0, line.find(' ')));
    if (!request.preprocess.contains(key)) lines += line;
  }
  for (const auto& [key, value] : request.preprocess) lines += key + " = " + value + "\n";
  return lines;
}

std::string MakeModelToml(const PublishRequest& request, const Preset& preset) {
  std::string toml;
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) toml += std::string(key) + " = " + Quoted(value) + "\n";
  };
  text("title", request.title);
  text("description", request.description);
  text("source", request.source);
  toml += toml.empty() ? "[model]\n" : "\n[model]\n";
  text("file", "model" + request.file.extension().string());
  text("network", request.network);
  toml += "\n[preprocess]\n" + PreprocessLines(request, preset);
  toml += "\n[answer]\nactivation = " +
          Quoted(request.activation.empty() ? "softmax" : request.activation) + "\n";
  return toml;
}

void FindPhotos(const fs::path& path, std::vector<fs::path>& found) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    found.push_back(path);
    return;
  }
  constexpr std::array<std::string_view, 5> kEndings = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  for (fs::directory_iterator item(path, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    std::string ending = item->path().extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(), ::tolower);
    const bool photo = std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
    if (photo) found.push_back(item->path());
  }
}

// Versions of a service that is there, whatever they hold.
std::int64_t HighestVersion(const fs::path& service) {
  std::int64_t highest = 0;
  std::error_code error;
  for (fs::directory_iterator item(service, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    const std::string name = item->path().filename().string();
    std::int64_t number = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
    if (read.ec == std::errc() && read.ptr == name.data() + name.size()) {
      highest = std::max(highest, number);
    }
  }
  return highest;
}

void CheckFile(const PublishRequest& request, std::vector<std::string>& wrong) {
  const std::string ending = request.file.extension().string();
  const bool weights = ending == ".safetensors" || ending == ".pth" || ending == ".ckpt";
  const bool whole = ending == ".pt" || ending == ".onnx";
  if (!IsFile(request.file)) wrong.push_back(request.file.string() + ": no such file");
  if (!request.network.empty() && !weights) {
    wrong.push_back("--weights: the ending must be .safetensors, .pth or .ckpt");
  }
  if (request.network.empty() && weights) {
    wrong.push_back("--file: " + ending + " holds weights alone; say --network and --weights");
  } else if (request.network.empty() && !whole) {
    wrong.push_back("--file: the ending must be .pt (TorchScript) or .onnx");
  }
#ifdef XCLOUD_HAS_TORCH
  if (!request.network.empty() && zoo::FindZooEntry(request.network) == nullptr) {
    wrong.push_back("--network: " + zoo::MakeZooNetwork(request.network, 0).status().message());
  }
#else
  if (!request.network.empty()) wrong.push_back("--network: this build has no LibTorch");
#endif
}

// Of a service that is not there yet.
void PlanNew(const PublishRequest& request, PublishPlan& plan, std::vector<std::string>& wrong) {
  if (!IsFile(request.labels)) {
    wrong.push_back("--labels: " + (request.labels.empty()
                                        ? "a new service needs them"
                                        : request.labels.string() + ": no such file"));
  } else {
    plan.labels_text = ReadText(request.labels);
  }
  const auto& presets = ListPresets();
  const std::string_view wanted = request.preset.empty() ? presets.front().name : request.preset;
  const auto preset = std::find_if(presets.begin(), presets.end(),
                                   [&](const Preset& p) { return p.name == wanted; });
  if (preset == presets.end()) {
    std::string known;
    for (const Preset& each : presets) known += " " + std::string(each.name);
    wrong.push_back("--preprocess: no preset '" + request.preset + "'; there are" + known);
    return;
  }
  plan.model_toml = MakeModelToml(request, *preset);
  const bool named = plan.labels_text.empty();
  Result<ModelDefinition> definition = ParseModelDefinition(
      request.name, plan.model_toml, named ? "label" : std::string_view(plan.labels_text));
  if (!definition.ok()) {
    wrong.push_back(definition.status().message());
  } else {
    plan.definition = *std::move(definition);
  }
}

// Of one that is there: its folder says what it is, and what is given must not disagree.
void PlanVersion(const PublishRequest& request, const fs::path& service, PublishPlan& plan,
                 std::vector<std::string>& wrong) {
  Result<ModelDefinition> definition = ReadModelDefinition(service);
  if (!definition.ok()) {
    wrong.push_back(definition.status().message());
    return;
  }
  plan.definition = *std::move(definition);
  const auto differs = [&](const std::string& option, const std::string& what) {
    wrong.push_back(option + ": the service '" + request.name + "' is there, and its " + what +
                    "; publish under another name, or change its folder first");
  };
  if (request.network != plan.definition.network) {
    differs("--network", "model.toml has network = \"" + plan.definition.network + "\"");
  }
  if (fs::path(plan.definition.file).extension() != request.file.extension()) {
    differs("--file", "model.toml has file = \"" + plan.definition.file + "\"");
  }
  if (!request.labels.empty() && ReadText(request.labels) != ReadText(service / "labels.txt")) {
    differs("--labels", "labels.txt is another");
  }
  const bool describes = !request.preset.empty() || !request.preprocess.empty() ||
                         !request.activation.empty() || !request.title.empty() ||
                         !request.description.empty() || !request.source.empty();
  if (describes) {
    differs("what describes a service (--preprocess, --activation, --title ...)",
            "model.toml says all that already");
  }
}

}  // namespace

const std::vector<Preset>& ListPresets() {
  static const std::string imagenet = "resize = 256\ncrop = 224\n" + std::string(kImageNetNorm);
  static const std::string xcloud = "resize = 224\ncrop = 224\n" + std::string(kImageNetNorm);
  static const std::vector<Preset> presets = {
      {"imagenet", "short side 256, crop 224, ImageNet's mean and deviation (torchvision's)",
       imagenet},
      {"xcloud", "short side 224, crop 224, the same (the first XCloud's)", xcloud},
      {"lite0", "short side 256, crop 224, (pixel - 127) / 128 (EfficientNet-Lite's)",
       "resize = 256\ncrop = 224\nscale = 1.0\nmean = [127.0, 127.0, 127.0]\n"
       "std = [128.0, 128.0, 128.0]\n"},
      {"half", "short side 256, crop 224, pixels from -1 to 1",
       "resize = 256\ncrop = 224\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"},
      {"plain", "short side 256, crop 224, pixels from 0 to 1",
       "resize = 256\ncrop = 224\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n"},
  };
  return presets;
}

Result<PublishPlan> CheckRequest(const PublishRequest& request) {
  std::vector<std::string> wrong;
  PublishPlan plan;
  if (!IsModelName(request.name)) {
    wrong.push_back("NAME: '" + request.name + "' is none: a-z 0-9 _ - only");
  }
  std::error_code ignored;
  if (!fs::is_directory(request.repository, ignored)) {
    wrong.push_back("--repository: " + request.repository.string() + " is no folder");
  }
  CheckFile(request, wrong);
  for (const fs::path& path : request.photos) FindPhotos(path, plan.photos);
  std::sort(plan.photos.begin(), plan.photos.end());
  if (plan.photos.empty()) {
    wrong.push_back("--photos: there is none, and without one no answer can be compared");
  }
  for (const fs::path& photo : plan.photos) {
    if (!IsFile(photo)) wrong.push_back("--photos: " + photo.string() + ": no such file");
  }
  if (!IsFile(request.python)) {
    wrong.push_back("--python: " + request.python.string() +
                    ": no such file; 'make setup' makes it");
  }
  const fs::path service = request.repository / request.name;
  const bool extends = fs::exists(service, ignored);
  if (extends) {
    PlanVersion(request, service, plan, wrong);
  } else {
    PlanNew(request, plan, wrong);
  }
  if (request.version < 0) wrong.push_back("--version: must be a whole number from 1");
  const std::int64_t highest = extends ? HighestVersion(service) : 0;
  plan.version = std::to_string(request.version > 0 ? request.version : highest + 1);
  const bool taken = fs::exists(service / plan.version, ignored);
  if (taken) {
    wrong.push_back("version " + plan.version + " of '" + request.name +
                    "' is there; a version is never written over");
  }
  if (wrong.empty()) return plan;
  std::string all;
  for (const std::string& line : wrong) all += (all.empty() ? "" : "\n") + line;
  if (taken && wrong.size() == 1) return Status(StatusCode::kAlreadyExists, all);
  return Status::InvalidArgument(all);
}

}  // namespace xcloud
