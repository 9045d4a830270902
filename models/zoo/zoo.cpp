#include "models/zoo/zoo.h"

#include <algorithm>
#include <exception>

#include "models/zoo/networks.h"

namespace xcloud::zoo {
namespace {

const std::vector<std::int64_t> kPhoto = {3, 224, 224};
const std::vector<std::int64_t> kPatch = {3, 32, 32};

const std::vector<ZooEntry>& Table() {
  static const std::vector<ZooEntry> table = {
      {"resnet18", "torchvision's ResNet-18", kPhoto, 1000, false, "", MakeResNet18},
      {"resnet50", "torchvision's ResNet-50", kPhoto, 1000, false, "", MakeResNet50},
      {"resnet152", "torchvision's ResNet-152", kPhoto, 1000, false, "", MakeResNet152},
      {"densenet121", "torchvision's DenseNet-121", kPhoto, 1000, false, "", MakeDenseNet121},
      {"densenet161", "torchvision's DenseNet-161", kPhoto, 1000, false, "", MakeDenseNet161},
      {"densenet169", "torchvision's DenseNet-169", kPhoto, 1000, false, "", MakeDenseNet169},
      {"mobilenet_v2", "torchvision's MobileNetV2", kPhoto, 1000, false, "", MakeMobileNetV2},
      {"shufflenet_v2_x1_0", "torchvision's ShuffleNetV2 1.0x", kPhoto, 1000, false, "",
       MakeShuffleNetV2},
      {"efficientnet_lite0", "EfficientNet-Lite0, with the published file's names", kPhoto, 1000,
       false, "", MakeEfficientNetLite0},
      {"hmtnet", "HMTNet: beauty, female, male, yellow, white", kPhoto, 5, true, "", MakeHmtNet},
      {"crnet", "CRNet on ResNet-18: beauty, then 5 classes", kPhoto, 6, true, "model.fc.",
       MakeCrNet},
      {"sphereface20",
       "SphereFace-20: an embedding of 512",
       {3, 112, 96},
       512,
       true,
       "fc6.",
       MakeSphereFace20},
      {"mtnet", "MTNet: the rating of a Zhihu Live from 23 features", {23}, 1, true, "", MakeMtNet},
      {"nima_resnet50", "NIMA on ResNet-50: probabilities of the scores 1 to n", kPhoto, 10, false,
       "", MakeNimaResNet50},
      {"nima_densenet169", "NIMA on DenseNet-169, likewise", kPhoto, 10, false, "",
       MakeNimaDenseNet169},
      {"iqanet", "IQANet: quality of a 32 x 32 patch", kPatch, 1, false, "", MakeIqaNet},
      {"iqacnn++", "IQA-CNN++, likewise", kPatch, 1, false, "", MakeIqaCnn},
      {"deeppatchcnn", "DeepPatchCNN, likewise", kPatch, 1, false, "", MakeDeepPatchCnn},
  };
  return table;
}

}  // namespace

std::span<const ZooEntry> ListZoo() {
  return Table();
}

const ZooEntry* FindZooEntry(std::string_view name) {
  const std::vector<ZooEntry>& table = Table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ZooEntry& entry) { return entry.name == name; });
  return found == table.end() ? nullptr : &*found;
}

Result<std::shared_ptr<Layer>> MakeZooNetwork(std::string_view name, std::int64_t outputs) {
  const ZooEntry* entry = FindZooEntry(name);
  if (entry == nullptr) {
    std::string known;
    for (const ZooEntry& each : Table())
      known += (known.empty() ? "" : ", ") + std::string(each.name);
    return Status::InvalidArgument("there is no network '" + std::string(name) + "'; the zoo has " +
                                   known);
  }
  constexpr std::int64_t kMostOutputs = 1'000'000;
  if (outputs < 0 || outputs > kMostOutputs) {
    return Status::InvalidArgument("a network cannot have " + std::to_string(outputs) + " outputs");
  }
  if (entry->fixed_outputs && outputs != 0 && outputs != entry->outputs) {
    return Status::InvalidArgument("the network '" + std::string(name) + "' gives " +
                                   std::to_string(entry->outputs) + " outputs, not " +
                                   std::to_string(outputs));
  }
  try {
    return entry->make(outputs == 0 ? entry->outputs : outputs);
  } catch (const std::exception& error) {
    return Status::InvalidArgument("the network '" + std::string(name) +
                                   "' cannot be made: " + error.what());
  }
}

}  // namespace xcloud::zoo
