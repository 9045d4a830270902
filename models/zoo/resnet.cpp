// ResNet-18, -50 and -152 (He et al. 2015, with the stride in the 3 x 3 convolution of a
// bottleneck, as torchvision has them), 224 x 224.
#include <array>
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/relu.h>

namespace xcloud::zoo {
namespace {

constexpr std::int64_t kStemChannels = 64;

struct Design {
  std::array<int, 4> blocks;
  bool bottleneck;  // three convolutions a block, the last four times as wide
  std::int64_t Widening() const { return bottleneck ? 4 : 1; }
};

Design DesignOf(ResNetDepth depth) {
  switch (depth) {
    case ResNetDepth::k18:
      return {{2, 2, 2, 2}, false};
    case ResNetDepth::k50:
      return {{3, 4, 6, 3}, true};
    case ResNetDepth::k152:
      break;
  }
  return {{3, 8, 36, 3}, true};
}

LayerPtr Conv3(std::int64_t inputs, std::int64_t outputs, int stride) {
  return Conv(inputs, outputs, {.kernel = 3, .stride = stride, .padding = 1});
}

class Block final : public Layer {
 public:
  Block(std::int64_t inputs, std::int64_t width, int stride, const Design& design) {
    const std::int64_t outputs = width * design.Widening();
    if (design.bottleneck) {
      AddStep(1, Conv(inputs, width, {}), width);
      AddStep(2, Conv3(width, width, stride), width);
      AddStep(3, Conv(width, outputs, {}), outputs);
    } else {
      AddStep(1, Conv3(inputs, width, stride), width);
      AddStep(2, Conv3(width, outputs, 1), outputs);
    }
    if (stride != 1 || inputs != outputs) {
      shortcut_ = Add("downsample",
                      MakeChain({Conv(inputs, outputs, {.stride = stride}), BatchNorm(outputs)}));
    }
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      y = steps_[i].norm->forward(steps_[i].conv->forward(y));
      if (i + 1 < steps_.size()) y = at::relu(y);
    }
    return at::relu(y + (shortcut_ ? shortcut_->forward(x) : x));
  }

 private:
  struct Step {
    LayerPtr conv, norm;
  };
  void AddStep(int number, LayerPtr conv, std::int64_t outputs) {
    const std::string suffix = std::to_string(number);
    Step step{Add("conv" + suffix, std::move(conv)), Add("bn" + suffix, BatchNorm(outputs))};
    steps_.push_back(std::move(step));
  }

  std::vector<Step> steps_;
  std::shared_ptr<Chain> shortcut_;
};

class ResNet final : public Layer {
 public:
  ResNet(const Design& design, LayerPtr head) {
    AddPart("conv1", Conv(3, kStemChannels, {.kernel = 7, .stride = 2, .padding = 3}));
    AddPart("bn1", BatchNorm(kStemChannels));
    AddPart("relu", Relu());
    AddPart("maxpool", MaxPool(3, 2, 1));
    std::int64_t inputs = kStemChannels;
    for (std::size_t stage = 0; stage < design.blocks.size(); ++stage) {
      const std::int64_t width = kStemChannels << stage;
      auto blocks = MakeChain();
      for (int i = 0; i < design.blocks[stage]; ++i) {
        const int stride = stage > 0 && i == 0 ? 2 : 1;
        blocks->Then(std::make_shared<Block>(inputs, width, stride, design));
        inputs = width * design.Widening();
      }
      AddPart("layer" + std::to_string(stage + 1), blocks);
    }
    AddPart("avgpool", GlobalPool());
    if (head) AddPart("fc", std::move(head));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const LayerPtr& part : parts_) y = part->forward(y);
    return y;
  }

 private:
  void AddPart(std::string name, LayerPtr part) {
    parts_.push_back(Add(std::move(name), std::move(part)));
  }
  std::vector<LayerPtr> parts_;
};

std::shared_ptr<Layer> Classifier(ResNetDepth depth, std::int64_t outputs) {
  return MakeResNetWith(depth, Linear(FeaturesOf(depth), outputs));
}

}  // namespace

std::int64_t FeaturesOf(ResNetDepth depth) {
  return 512 * DesignOf(depth).Widening();
}

std::shared_ptr<Layer> MakeResNetWith(ResNetDepth depth, std::shared_ptr<Layer> head) {
  return std::make_shared<ResNet>(DesignOf(depth), std::move(head));
}

std::shared_ptr<Layer> MakeResNet18(std::int64_t outputs) {
  return Classifier(ResNetDepth::k18, outputs);
}
std::shared_ptr<Layer> MakeResNet50(std::int64_t outputs) {
  return Classifier(ResNetDepth::k50, outputs);
}
std::shared_ptr<Layer> MakeResNet152(std::int64_t outputs) {
  return Classifier(ResNetDepth::k152, outputs);
}

}  // namespace xcloud::zoo
