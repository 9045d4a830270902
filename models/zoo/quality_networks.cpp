// Image quality. NIMA (Talebi and Milanfar 2018): probabilities of the scores 1 to n for a whole
// photo, 224 x 224, softmax included. IQANet (Kang et al. 2014), IQA-CNN++ (Kang et al. 2015) and
// DeepPatchCNN (Bosse et al. 2016) rate one patch of 32 x 32. Names are those of the first XCloud.
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/relu.h>

namespace xcloud::zoo {
namespace {

class Nima final : public Layer {
 public:
  explicit Nima(LayerPtr backbone) : backbone_(Add("backbone", std::move(backbone))) {}
  at::Tensor forward(const at::Tensor& x) override { return backbone_->forward(x); }

 private:
  const LayerPtr backbone_;
};

LayerPtr ScoreHead(std::int64_t features, std::int64_t outputs) {
  return MakeChain({Linear(features, outputs), Softmax()});
}

struct Step {
  LayerPtr conv, norm;
};

// Convolutions, each with a norm; then the least and the greatest value of each channel; then
// three linear layers. No activation before the pools, as in both originals.
class PoolingQuality final : public Layer {
 public:
  struct Design {
    std::vector<std::int64_t> channels;  // of the convolutions
    int kernel;
    std::int64_t first, second;  // widths of the linear layers
  };

  PoolingQuality(const Design& design, std::int64_t outputs) {
    std::int64_t channels = 3;
    for (std::size_t i = 0; i < design.channels.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      const std::int64_t next = design.channels[i];
      Step step;
      step.conv =
          Add("conv" + number, Conv(channels, next, {.kernel = design.kernel, .bias = true}));
      step.norm = Add("bn" + number, BatchNorm(next));
      steps_.push_back(std::move(step));
      channels = next;
    }
    pool_ = Add("pool", MaxPool(kPool, kPool));
    full1_ = Add("fc1", Linear(2 * channels, design.first));
    full2_ = Add("fc2", Linear(design.first, design.second));
    full3_ = Add("fc3", Linear(design.second, outputs));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const Step& step : steps_) y = step.norm->forward(step.conv->forward(y));
    const at::Tensor least = -pool_->forward(-y).flatten(1);
    const at::Tensor greatest = pool_->forward(y).flatten(1);
    y = at::relu(full1_->forward(at::cat({least, greatest}, 1)));
    return full3_->forward(at::relu(full2_->forward(y)));
  }

 private:
  static constexpr int kPool = 26;  // all of what is left of 32 x 32; of 28 x 28 its corner
  std::vector<Step> steps_;
  LayerPtr pool_, full1_, full2_, full3_;
};

class DeepPatchCnn final : public Layer {
 public:
  explicit DeepPatchCnn(std::int64_t outputs) {
    std::int64_t inputs = 3;
    for (int i = 1; i <= 10; ++i) {
      const std::int64_t width = 32LL << ((i - 1) / 2);
      const std::string number = std::to_string(i);
      const ConvShape shape = {.kernel = 3, .padding = 1, .bias = true};
      AddPart("conv" + number, Conv(inputs, width, shape));
      AddPart("bn" + number, BatchNorm(width));
      AddPart("relu" + number, Relu());
      if (i % 2 == 0) AddPart("maxpool" + number, MaxPool(2, 2));
      inputs = width;
    }
    full1_ = Add("fc1", Linear(inputs, 512));
    dropout_ = Add("dropout1", Dropout(0.5));
    full2_ = Add("fc2", Linear(512, outputs));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const LayerPtr& part : parts_) y = part->forward(y);
    return full2_->forward(dropout_->forward(at::relu(full1_->forward(y.flatten(1)))));
  }

 private:
  void AddPart(std::string name, LayerPtr part) {
    parts_.push_back(Add(std::move(name), std::move(part)));
  }
  std::vector<LayerPtr> parts_;
  LayerPtr full1_, dropout_, full2_;
};

}  // namespace

std::shared_ptr<Layer> MakeNimaResNet50(std::int64_t outputs) {
  const auto depth = ResNetDepth::k50;
  return std::make_shared<Nima>(MakeResNetWith(depth, ScoreHead(FeaturesOf(depth), outputs)));
}

std::shared_ptr<Layer> MakeNimaDenseNet169(std::int64_t outputs) {
  const auto depth = DenseNetDepth::k169;
  return std::make_shared<Nima>(MakeDenseNetWith(depth, ScoreHead(FeaturesOf(depth), outputs)));
}

std::shared_ptr<Layer> MakeIqaNet(std::int64_t outputs) {
  const PoolingQuality::Design design = {{50}, 7, 800, 800};
  return std::make_shared<PoolingQuality>(design, outputs);
}

std::shared_ptr<Layer> MakeIqaCnn(std::int64_t outputs) {
  const PoolingQuality::Design design = {{8, 32}, 3, 128, 512};
  return std::make_shared<PoolingQuality>(design, outputs);
}

std::shared_ptr<Layer> MakeDeepPatchCnn(std::int64_t outputs) {
  return std::make_shared<DeepPatchCnn>(outputs);
}

}  // namespace xcloud::zoo
