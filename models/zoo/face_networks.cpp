// CRNet (Xu et al. 2018): a face's beauty as a number and as one of five classes, on ResNet-18,
// 224 x 224. SphereFace-20 (Liu et al. 2017): a face's embedding, 112 x 96, not normalised.
// Names are those of their repositories.
#include <array>
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/cat.h>

namespace xcloud::zoo {
namespace {

LayerPtr RatingHead(std::int64_t outputs) {
  auto chain = MakeChain();
  chain->Then("fc1", Linear(FeaturesOf(ResNetDepth::k18), 256));
  chain->Then("relu1", Relu()).Then("dropout1", Dropout(0.5));
  chain->Then("fc2", Linear(256, 64)).Then("relu2", Relu()).Then("dropout2", Dropout(0.5));
  chain->Then("fc3", Linear(64, outputs));
  return chain;
}

class CrNet final : public Layer {
 public:
  CrNet()
      : trunk_(Add("model", MakeResNetWith(ResNetDepth::k18, nullptr))),
        regressor_(Add("regressor", RatingHead(1))),
        classifier_(Add("classifier", RatingHead(5))) {}

  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor features = trunk_->forward(x);
    return at::cat({regressor_->forward(features), classifier_->forward(features)}, 1);
  }

 private:
  const LayerPtr trunk_, regressor_, classifier_;
};

class SphereFace20 final : public Layer {
 public:
  SphereFace20() {
    struct Stage {
      std::int64_t channels;
      int pairs;  // residual pairs behind the convolution that halves the picture
    };
    constexpr std::array<Stage, 4> kStages = {{{64, 1}, {128, 2}, {256, 4}, {512, 1}}};
    std::int64_t inputs = 3;
    for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
      const auto [channels, pairs] = kStages[stage];
      std::vector<Step> steps;
      for (int i = 1; i <= 1 + 2 * pairs; ++i) {
        const std::string suffix = std::to_string(stage + 1) + "_" + std::to_string(i);
        const ConvShape shape = {.kernel = 3, .stride = i == 1 ? 2 : 1, .padding = 1, .bias = true};
        Step step;
        step.conv = Add("conv" + suffix, Conv(inputs, channels, shape));
        step.relu = Add("relu" + suffix, PRelu(channels));
        steps.push_back(std::move(step));
        inputs = channels;
      }
      stages_.push_back(std::move(steps));
    }
    full_ = Add("fc5", Linear(inputs * 7 * 6, 512));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const std::vector<Step>& steps : stages_) {
      y = steps[0].Run(y);
      for (std::size_t i = 1; i < steps.size(); i += 2) y = y + steps[i + 1].Run(steps[i].Run(y));
    }
    return full_->forward(y.flatten(1));
  }

 private:
  struct Step {
    LayerPtr conv, relu;
    at::Tensor Run(const at::Tensor& x) const { return relu->forward(conv->forward(x)); }
  };
  std::vector<std::vector<Step>> stages_;
  LayerPtr full_;
};

}  // namespace

std::shared_ptr<Layer> MakeCrNet(std::int64_t) {
  return std::make_shared<CrNet>();
}
std::shared_ptr<Layer> MakeSphereFace20(std::int64_t) {
  return std::make_shared<SphereFace20>();
}

}  // namespace xcloud::zoo
