// MobileNetV2 (Sandler et al. 2018), ShuffleNetV2 1.0x (Ma et al. 2018), both as in torchvision,
// and EfficientNet-Lite0 (models/weights/efficientnet_lite.py is the same in Python); 224 x 224.
#include <array>
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/hardtanh.h>
#include <ATen/ops/stack.h>

namespace xcloud::zoo {
namespace {

// One stage of inverted residuals: blocks widen, filter each channel, and narrow.
struct Stage {
  int blocks, kernel, stride, expansion;
  std::int64_t channels;
};

// Added to its input where the shapes agree.
class Residual final : public Layer {
 public:
  Residual(LayerPtr inner, bool adds) : adds_(adds), inner_(Add("conv", std::move(inner))) {}
  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor y = inner_->forward(x);
    return adds_ ? x + y : y;
  }

 private:
  const bool adds_;
  const LayerPtr inner_;
};

LayerPtr ConvNormRelu6(std::int64_t inputs, std::int64_t outputs, ConvShape shape) {
  return MakeChain({Conv(inputs, outputs, shape), BatchNorm(outputs), Relu6()});
}

LayerPtr MobileBlock(std::int64_t inputs, int stride, const Stage& stage) {
  const std::int64_t wide = inputs * stage.expansion;
  auto chain = MakeChain();
  if (stage.expansion != 1) chain->Then(ConvNormRelu6(inputs, wide, {}));
  chain->Then(ConvNormRelu6(
      wide, wide, {.kernel = 3, .stride = stride, .padding = 1, .groups = static_cast<int>(wide)}));
  chain->Then(Conv(wide, stage.channels, {})).Then(BatchNorm(stage.channels));
  return std::make_shared<Residual>(chain, stride == 1 && inputs == stage.channels);
}

class MobileNetV2 final : public Layer {
 public:
  explicit MobileNetV2(std::int64_t outputs) {
    constexpr std::array<Stage, 7> kStages = {{{1, 3, 1, 1, 16},
                                               {2, 3, 2, 6, 24},
                                               {3, 3, 2, 6, 32},
                                               {4, 3, 2, 6, 64},
                                               {3, 3, 1, 6, 96},
                                               {3, 3, 2, 6, 160},
                                               {1, 3, 1, 6, 320}}};
    constexpr std::int64_t kHead = 1280;
    features_ = Add("features", MakeChain());
    std::int64_t channels = 32;
    features_->Then(ConvNormRelu6(3, channels, {.kernel = 3, .stride = 2, .padding = 1}));
    for (const Stage& stage : kStages) {
      for (int i = 0; i < stage.blocks; ++i) {
        features_->Then(MobileBlock(channels, i == 0 ? stage.stride : 1, stage));
        channels = stage.channels;
      }
    }
    features_->Then(ConvNormRelu6(channels, kHead, {}));
    classifier_ = Add("classifier", MakeChain({Dropout(0.2), Linear(kHead, outputs)}));
  }

  at::Tensor forward(const at::Tensor& x) override {
    return classifier_->forward(features_->forward(x).mean({2, 3}));
  }

 private:
  std::shared_ptr<Chain> features_, classifier_;
};

LayerPtr Depthwise(std::int64_t channels, int stride) {
  return Conv(channels, channels,
              {.kernel = 3, .stride = stride, .padding = 1, .groups = static_cast<int>(channels)});
}

// Two branches whose channels are interleaved. With stride 1 the first is half of the input as it
// is; with stride 2 both see all of it.
class ShuffleBlock final : public Layer {
 public:
  ShuffleBlock(std::int64_t inputs, std::int64_t outputs, int stride) : splits_(stride == 1) {
    const std::int64_t half = outputs / 2;
    if (!splits_) {
      first_ = Add("branch1", MakeChain({Depthwise(inputs, stride), BatchNorm(inputs),
                                         Conv(inputs, half, {}), BatchNorm(half), Relu()}));
    }
    second_ = Add("branch2", MakeChain({Conv(splits_ ? half : inputs, half, {}), BatchNorm(half),
                                        Relu(), Depthwise(half, stride), BatchNorm(half),
                                        Conv(half, half, {}), BatchNorm(half), Relu()}));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor left, right;
    if (splits_) {
      const std::vector<at::Tensor> halves = x.chunk(2, 1);
      left = halves[0];
      right = second_->forward(halves[1]);
    } else {
      left = first_->forward(x);
      right = second_->forward(x);
    }
    return at::stack({left, right}, 2).flatten(1, 2);
  }

 private:
  const bool splits_;
  std::shared_ptr<Chain> first_, second_;
};

class ShuffleNetV2 final : public Layer {
 public:
  explicit ShuffleNetV2(std::int64_t outputs) {
    struct ShuffleStage {
      const char* name;
      int blocks;
      std::int64_t channels;
    };
    constexpr std::array<ShuffleStage, 3> kStages = {
        {{"stage2", 4, 116}, {"stage3", 8, 232}, {"stage4", 4, 464}}};
    constexpr std::int64_t kHead = 1024;
    std::int64_t channels = 24;
    AddPart("conv1", MakeChain({Conv(3, channels, {.kernel = 3, .stride = 2, .padding = 1}),
                                BatchNorm(channels), Relu()}));
    AddPart("maxpool", MaxPool(3, 2, 1));
    for (const ShuffleStage& stage : kStages) {
      auto blocks = MakeChain();
      for (int i = 0; i < stage.blocks; ++i) {
        blocks->Then(std::make_shared<ShuffleBlock>(channels, stage.channels, i == 0 ? 2 : 1));
        channels = stage.channels;
      }
      AddPart(stage.name, blocks);
    }
    AddPart("conv5", MakeChain({Conv(channels, kHead, {}), BatchNorm(kHead), Relu()}));
    AddPart("pool", GlobalPool());
    AddPart("fc", Linear(kHead, outputs));
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

constexpr NormShape kTensorFlowNorm = {.epsilon = 1e-3};

class LiteBlock final : public Layer {
 public:
  LiteBlock(std::int64_t inputs, int stride, const Stage& stage)
      : adds_(stride == 1 && inputs == stage.channels) {
    const std::int64_t wide = inputs * stage.expansion;
    if (stage.expansion > 1) {
      expand_ = Add("_expand_conv", Conv(inputs, wide, {}));
      norm0_ = Add("_bn0", BatchNorm(wide, kTensorFlowNorm));
    }
    const ConvShape depthwise = {
        .kernel = stage.kernel, .stride = stride, .groups = static_cast<int>(wide), .same = true};
    depthwise_ = Add("_depthwise_conv", Conv(wide, wide, depthwise));
    norm1_ = Add("_bn1", BatchNorm(wide, kTensorFlowNorm));
    project_ = Add("_project_conv", Conv(wide, stage.channels, {}));
    norm2_ = Add("_bn2", BatchNorm(stage.channels, kTensorFlowNorm));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    if (expand_) y = at::hardtanh(norm0_->forward(expand_->forward(y)), 0, 6);
    y = at::hardtanh(norm1_->forward(depthwise_->forward(y)), 0, 6);
    y = norm2_->forward(project_->forward(y));
    return adds_ ? x + y : y;
  }

 private:
  const bool adds_;
  LayerPtr expand_, norm0_, depthwise_, norm1_, project_, norm2_;
};

class EfficientNetLite0 final : public Layer {
 public:
  explicit EfficientNetLite0(std::int64_t outputs) {
    constexpr std::array<Stage, 7> kStages = {{{1, 3, 1, 1, 16},
                                               {2, 3, 2, 6, 24},
                                               {2, 5, 2, 6, 40},
                                               {3, 3, 2, 6, 80},
                                               {3, 5, 1, 6, 112},
                                               {4, 5, 2, 6, 192},
                                               {1, 3, 1, 6, 320}}};
    constexpr std::int64_t kHead = 1280;
    std::int64_t channels = 32;
    stem_ = Add("_conv_stem", Conv(3, channels, {.kernel = 3, .stride = 2, .same = true}));
    norm0_ = Add("_bn0", BatchNorm(channels, kTensorFlowNorm));
    blocks_ = Add("_blocks", MakeChain());
    for (const Stage& stage : kStages) {
      for (int i = 0; i < stage.blocks; ++i) {
        blocks_->Then(std::make_shared<LiteBlock>(channels, i == 0 ? stage.stride : 1, stage));
        channels = stage.channels;
      }
    }
    head_ = Add("_conv_head", Conv(channels, kHead, {}));
    norm1_ = Add("_bn1", BatchNorm(kHead, kTensorFlowNorm));
    classifier_ = Add("_fc", Linear(kHead, outputs));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = at::hardtanh(norm0_->forward(stem_->forward(x)), 0, 6);
    y = head_->forward(blocks_->forward(y));
    return classifier_->forward(at::hardtanh(norm1_->forward(y), 0, 6).mean({2, 3}));
  }

 private:
  LayerPtr stem_, norm0_, head_, norm1_, classifier_;
  std::shared_ptr<Chain> blocks_;
};

}  // namespace

std::shared_ptr<Layer> MakeMobileNetV2(std::int64_t outputs) {
  return std::make_shared<MobileNetV2>(outputs);
}
std::shared_ptr<Layer> MakeShuffleNetV2(std::int64_t outputs) {
  return std::make_shared<ShuffleNetV2>(outputs);
}
std::shared_ptr<Layer> MakeEfficientNetLite0(std::int64_t outputs) {
  return std::make_shared<EfficientNetLite0>(outputs);
}

}  // namespace xcloud::zoo
