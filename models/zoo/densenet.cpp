// DenseNet-121, -161 and -169 (Huang et al. 2016, the BC form of torchvision), 224 x 224.
#include <array>
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/relu.h>

namespace xcloud::zoo {
namespace {

constexpr std::int64_t kBottleneck = 4;  // width of the 1 x 1 convolution, in growths

struct Design {
  std::array<int, 4> layers;
  std::int64_t growth;  // channels that a layer adds
  std::int64_t stem;    // channels before the first block
};

Design DesignOf(DenseNetDepth depth) {
  switch (depth) {
    case DenseNetDepth::k121:
      return {{6, 12, 24, 16}, 32, 64};
    case DenseNetDepth::k161:
      return {{6, 12, 36, 24}, 48, 96};
    case DenseNetDepth::k169:
      break;
  }
  return {{6, 12, 32, 32}, 32, 64};
}

// Norm, ReLU, narrow; norm, ReLU, 3 x 3: from all that came before to `growth` new channels.
class DenseLayer final : public Layer {
 public:
  DenseLayer(std::int64_t inputs, std::int64_t growth)
      : norm1_(Add("norm1", BatchNorm(inputs))),
        conv1_(Add("conv1", Conv(inputs, kBottleneck * growth, {}))),
        norm2_(Add("norm2", BatchNorm(kBottleneck * growth))),
        conv2_(Add("conv2", Conv(kBottleneck * growth, growth, {.kernel = 3, .padding = 1}))) {}

  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor narrow = conv1_->forward(at::relu(norm1_->forward(x)));
    return conv2_->forward(at::relu(norm2_->forward(narrow)));
  }

 private:
  const LayerPtr norm1_, conv1_, norm2_, conv2_;
};

class DenseBlock final : public Layer {
 public:
  DenseBlock(std::int64_t inputs, int layers, std::int64_t growth) {
    for (int i = 0; i < layers; ++i) {
      layers_.push_back(Add("denselayer" + std::to_string(i + 1),
                            std::make_shared<DenseLayer>(inputs + i * growth, growth)));
    }
  }

  at::Tensor forward(const at::Tensor& x) override {
    std::vector<at::Tensor> features = {x};
    for (const LayerPtr& layer : layers_) {
      features.push_back(layer->forward(features.size() == 1 ? x : at::cat(features, 1)));
    }
    return at::cat(features, 1);
  }

 private:
  std::vector<LayerPtr> layers_;
};

LayerPtr Transition(std::int64_t inputs) {
  auto chain = MakeChain();
  chain->Then("norm", BatchNorm(inputs)).Then("relu", Relu());
  chain->Then("conv", Conv(inputs, inputs / 2, {})).Then("pool", AvgPool(2));
  return chain;
}

// The channels behind the last block.
std::int64_t Channels(const Design& design) {
  std::int64_t channels = design.stem;
  for (std::size_t i = 0; i < design.layers.size(); ++i) {
    if (i > 0) channels /= 2;
    channels += design.layers[i] * design.growth;
  }
  return channels;
}

class DenseNet final : public Layer {
 public:
  DenseNet(const Design& design, LayerPtr head) {
    features_ = Add("features", MakeChain());
    features_->Then("conv0", Conv(3, design.stem, {.kernel = 7, .stride = 2, .padding = 3}));
    features_->Then("norm0", BatchNorm(design.stem)).Then("relu0", Relu());
    features_->Then("pool0", MaxPool(3, 2, 1));
    std::int64_t channels = design.stem;
    for (std::size_t i = 0; i < design.layers.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      features_->Then("denseblock" + number,
                      std::make_shared<DenseBlock>(channels, design.layers[i], design.growth));
      channels += design.layers[i] * design.growth;
      if (i + 1 == design.layers.size()) break;
      features_->Then("transition" + number, Transition(channels));
      channels /= 2;
    }
    features_->Then("norm5", BatchNorm(channels));
    if (head) head_ = Add("classifier", std::move(head));
  }

  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor pooled = at::relu(features_->forward(x)).mean({2, 3});
    return head_ ? head_->forward(pooled) : pooled;
  }

 private:
  std::shared_ptr<Chain> features_;
  LayerPtr head_;
};

std::shared_ptr<Layer> Classifier(DenseNetDepth depth, std::int64_t outputs) {
  return MakeDenseNetWith(depth, Linear(FeaturesOf(depth), outputs));
}

}  // namespace

std::int64_t FeaturesOf(DenseNetDepth depth) {
  return Channels(DesignOf(depth));
}

std::shared_ptr<Layer> MakeDenseNetWith(DenseNetDepth depth, std::shared_ptr<Layer> head) {
  return std::make_shared<DenseNet>(DesignOf(depth), std::move(head));
}

std::shared_ptr<Layer> MakeDenseNet121(std::int64_t outputs) {
  return Classifier(DenseNetDepth::k121, outputs);
}
std::shared_ptr<Layer> MakeDenseNet161(std::int64_t outputs) {
  return Classifier(DenseNetDepth::k161, outputs);
}
std::shared_ptr<Layer> MakeDenseNet169(std::int64_t outputs) {
  return Classifier(DenseNetDepth::k169, outputs);
}

}  // namespace xcloud::zoo
