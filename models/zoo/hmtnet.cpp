// HMTNet (Xu et al. 2019): beauty, gender and race of a face from one VGG-M trunk, 224 x 224.
//
// Columns: beauty in [1, 5]; scores of female, male; scores of yellow, white. Names are those of
// its own repository. Exactly 101,779,533 parameters.
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/relu.h>

namespace xcloud::zoo {
namespace {

// The head of gender ("g") or race ("r"), on features of 512 x 13 x 13.
class Head final : public Layer {
 public:
  explicit Head(const std::string& prefix) {
    const auto add = [&](const std::string& name, LayerPtr layer) {
      layers_.push_back(Add(prefix + name, std::move(layer)));
    };
    add("conv1", Conv(512, 256, {.kernel = 3, .bias = true}));
    add("bn1", BatchNorm(256));
    add("relu1", Relu());
    add("conv2", Conv(256, 128, {.kernel = 3, .bias = true}));
    add("bn2", BatchNorm(128));
    add("relu2", Relu());
    add("pool2", MaxPool(3, 3));
    add("conv3", Conv(128, 2, {.stride = 2, .bias = true}));
    add("bn3", BatchNorm(2));
    add("relu3", Relu());
    add("pool3", AvgPool(2));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const LayerPtr& layer : layers_) y = layer->forward(y);
    return y.flatten(1);
  }

 private:
  std::vector<LayerPtr> layers_;
};

class HmtNet final : public Layer {
 public:
  HmtNet() {
    const auto wide = [](int stride, int padding, int kernel) {
      return ConvShape{.kernel = kernel, .stride = stride, .padding = padding, .bias = true};
    };
    conv1_ = Add("conv1", Conv(3, 96, wide(2, 0, 7)));
    norm1_ = Add("bn49", BatchNorm(96));
    pool1_ = Add("pool1", MaxPool(3, 2));
    conv2_ = Add("conv2", Conv(96, 256, wide(2, 1, 5)));
    norm2_ = Add("bn50", BatchNorm(256));
    pool2_ = Add("pool2", MaxPool(3, 2, 0, /*round_up=*/true));
    conv3_ = Add("conv3", Conv(256, 512, wide(1, 1, 3)));
    norm3_ = Add("bn51", BatchNorm(512));
    conv4_ = Add("conv4", Conv(512, 512, wide(1, 1, 3)));
    norm4_ = Add("bn52", BatchNorm(512));
    conv5_ = Add("conv5", Conv(512, 512, wide(1, 1, 3)));
    norm5_ = Add("bn53", BatchNorm(512));
    pool5_ = Add("pool5", MaxPool(3, 2));
    full6_ = Add("fc6", Conv(512, 4096, wide(1, 0, 6)));
    norm6_ = Add("bn54", BatchNorm(4096, {.affine = false}));
    full7_ = Add("fc7", Conv(4096, 4096, wide(1, 0, 1)));
    norm7_ = Add("bn55", BatchNorm(4096));
    full8_ = Add("fc8", Conv(4096, 1, wide(1, 0, 1)));
    gender_ = Add("gbranch", std::make_shared<Head>("g"));
    race_ = Add("rbranch", std::make_shared<Head>("r"));
  }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = pool1_->forward(at::relu(norm1_->forward(conv1_->forward(x))));
    y = pool2_->forward(at::relu(norm2_->forward(conv2_->forward(y))));
    const at::Tensor third = conv3_->forward(y);
    const at::Tensor third_active = at::relu(norm3_->forward(third));
    y = at::relu(norm4_->forward(conv4_->forward(third_active)));
    y = at::relu(norm5_->forward(conv5_->forward(y)));
    const at::Tensor fused = (third + third_active + y) / 3;
    const at::Tensor sixth = full6_->forward(pool5_->forward(fused));
    const at::Tensor seventh = full7_->forward(at::relu(norm6_->forward(sixth)));
    const at::Tensor last = (sixth + seventh + at::relu(norm7_->forward(seventh))) / 3;
    const at::Tensor beauty = full8_->forward(last).flatten(1);
    return at::cat({beauty, gender_->forward(third_active), race_->forward(fused)}, 1);
  }

 private:
  LayerPtr conv1_, norm1_, pool1_, conv2_, norm2_, pool2_, conv3_, norm3_, conv4_, norm4_, conv5_,
      norm5_, pool5_, full6_, norm6_, full7_, norm7_, full8_, gender_, race_;
};

}  // namespace

std::shared_ptr<Layer> MakeHmtNet(std::int64_t) {
  return std::make_shared<HmtNet>();
}

}  // namespace xcloud::zoo
