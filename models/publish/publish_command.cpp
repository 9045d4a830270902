#include "models/publish/publish_command.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "models/publish/publish.h"

namespace xcloud {
namespace {

constexpr const char* kAbout =
    "Makes a service of a trained network: a folder in the model repository, or a new version in\n"
    "one. Before anything is written there, the photos are answered by the server's own code and\n"
    "by PyTorch (in the Python environment that 'make setup' makes); only if all answers are the\n"
    "same is it published. Give photos of the kind that the service is for: a dozen is enough.\n"
    "\n"
    "Examples:\n"
    "  a state dict of a network that XCloud builds by itself (torch.save since 1.6, or\n"
    "  safetensors; older files: python models/zoo/convert_checkpoint.py OLD NEW.safetensors)\n"
    "    xcloud publish flowers --network resnet18 --weights best.pth --labels flowers.txt \\\n"
    "        --photos test_photos/\n"
    "  a TorchScript or ONNX file, with pixels from 0 to 1 and photos squashed to 128 x 128\n"
    "    xcloud publish apples --file apples.onnx --labels apples.txt --preprocess plain \\\n"
    "        --resize-mode squash --resize 128 --crop 128 --photos a.jpg b.jpg\n"
    "  a better version of a service that is there\n"
    "    xcloud publish flowers --network resnet18 --weights better.pth --photos test_photos/\n"
    "  a live module, from Python: models/publish/publish_module.py\n"
    "\n"
    "labels.txt: one label a line, UTF-8, row = the network's output. 'xcloud model-keys' tells\n"
    "what else model.toml may say; edit it afterwards (answer keys, batching).";

struct Options {
  PublishRequest request;
  std::string file, weights;
  std::vector<std::string> mean, std;
  // Keys of [preprocess] as given; empty = as the preset has it.
  std::string resize_mode, color, layout;
  std::map<std::string, std::string> numbers;
};

std::string List(const std::vector<std::string>& numbers) {
  std::string text = "[";
  for (const std::string& number : numbers) text += (text.size() > 1 ? ", " : "") + number;
  return text + "]";
}

// The flags of preprocessing, as TOML.
void CollectPreprocess(Options& o) {
  for (const auto& [key, value] :
       {std::pair{"resize_mode", o.resize_mode}, {"color", o.color}, {"layout", o.layout}}) {
    if (!value.empty()) o.request.preprocess[key] = "\"" + value + "\"";
  }
  if (!o.mean.empty()) o.request.preprocess["mean"] = List(o.mean);
  if (!o.std.empty()) o.request.preprocess["std"] = List(o.std);
  for (const auto& [key, value] : o.numbers) {
    if (!value.empty()) o.request.preprocess[key] = value;
  }
}

int Run(Options& o) {
  std::string wrong;
  if (o.file.empty() == o.weights.empty()) wrong += "give either --file or --weights\n";
  if (o.weights.empty() != o.request.network.empty()) {
    wrong += "--network and --weights go together\n";
  }
  o.request.file = o.file.empty() ? o.weights : o.file;
  CollectPreprocess(o);
  const auto progress = [](const std::string& line) { std::cerr << line << " ...\n"; };
  const Result<PublishReport> report =
      wrong.empty() ? Publish(o.request, progress) : Status::InvalidArgument(wrong);
  if (!report.ok()) {
    // All at once: what the options lack, and what they hold.
    const Result<PublishPlan> plan =
        wrong.empty() ? Result<PublishPlan>(report.status()) : CheckRequest(o.request);
    std::cerr << "xcloud publish: not published\n" << wrong << plan.status().message() << "\n";
    return 1;
  }
  std::printf("published %s: %zu photos answered as by %s, largest difference %.1e\n",
              report->folder.c_str(), report->photos, report->reference.c_str(),
              report->max_difference);
  return 0;
}

void AddPreprocessOptions(CLI::App& command, Options& o) {
  std::string presets =
      "How photos are prepared, before the flags below change it; default: the first";
  for (const Preset& preset : ListPresets()) {
    presets += "\n" + std::string(preset.name) + ": " + std::string(preset.description);
  }
  command.add_option("--preprocess", o.request.preset, presets);
  command.add_option("--resize-mode", o.resize_mode, "short_side or squash");
  for (const char* key :
       {"resize", "resize_width", "resize_height", "crop", "crop_width", "crop_height", "scale"}) {
    std::string flag = "--" + std::string(key);
    for (char& c : flag) c = c == '_' ? '-' : c;
    command.add_option(flag, o.numbers[key], "[preprocess] " + std::string(key))
        ->check(CLI::Number);
  }
  command.add_option("--mean", o.mean, "Three numbers, in the order of --color")
      ->expected(3)
      ->check(CLI::Number);
  command.add_option("--std", o.std, "Likewise")->expected(3)->check(CLI::Number);
  command.add_option("--color", o.color, "rgb or bgr");
  command.add_option("--layout", o.layout, "nchw or nhwc");
  command.add_option("--activation", o.request.activation,
                     "softmax (default): the network gives logits; none: it gives probabilities");
}

}  // namespace

void AddPublishCommand(CLI::App& app, std::function<std::string()> default_repository,
                       int& exit_code) {
  auto o = std::make_shared<Options>();
  o->request.python = XCLOUD_PYTHON;
  o->request.checker = XCLOUD_CHECKER;
  CLI::App* command = app.add_subcommand("publish", "Make a service of a trained network");
  command->description(kAbout);
  command->add_option("name", o->request.name, "The service: a-z 0-9 _ -")->required();
  command->add_option("--network", o->request.network, "Of XCloud's own, with --weights");
  command->add_option("--weights", o->weights, "Its state dict: .safetensors .pth .ckpt");
  command->add_option("--file", o->file, "A whole network instead: TorchScript .pt, or .onnx");
  command->add_option("--labels", o->request.labels, "labels.txt; a new service needs it");
  command->add_option("--photos", o->request.photos, "Photos, or folders of them")->required();
  command->add_option("--repository", o->request.repository,
                      "The folder of models; default: [repository] path of the configuration");
  command->add_option("--version", o->request.version,
                      "A whole number; default: one above the highest that is there");
  AddPreprocessOptions(*command, *o);
  command->add_option("--title", o->request.title, "Name for people");
  command->add_option("--description", o->request.description, "One or two sentences");
  command->add_option("--source", o->request.source, "Where the weights come from; licence");
  command->add_option("--tolerance", o->request.tolerance, "Of a probability")
      ->capture_default_str();
  command->add_option("--python", o->request.python, "The environment's interpreter")
      ->capture_default_str();
  command->callback([o, default_repository = std::move(default_repository), &exit_code] {
    if (o->request.repository.empty()) o->request.repository = default_repository();
    exit_code = Run(*o);
  });
}

}  // namespace xcloud
