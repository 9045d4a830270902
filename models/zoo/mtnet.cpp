// MTNet (Xu et al. 2019): the rating of a Zhihu Live from 23 scaled features, [n, 23] -> [n, 1].
// 715 parameters, with the names of the published ZhihuLive_MTNet.pth.
#include <string>

#include "models/zoo/layers.h"
#include "models/zoo/networks.h"

namespace xcloud::zoo {
namespace {

LayerPtr Branch(std::int64_t middle) {
  auto chain = MakeChain();
  chain->Then("bf1", Linear(8, middle)).Then("relu", Relu6()).Then("bf2", Linear(middle, 1));
  return chain;
}

class MtNet final : public Layer {
 public:
  MtNet() {
    auto layers = MakeChain();
    layers->Then("fc1", MakeChain({Linear(23, 16), Relu()}));
    layers->Then("fc2", MakeChain({Linear(16, 8), Relu()}));
    layers->Then("fc3", MakeChain({Linear(8, 8), Relu()}));
    layers_ = Add("layers", layers);
    branch1_ = Add("branch1", Branch(4));
    branch2_ = Add("branch2", Branch(3));
    branch3_ = Add("branch3", Branch(5));
  }

  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor shared = layers_->forward(x);
    return (branch1_->forward(shared) + branch2_->forward(shared) + branch3_->forward(shared)) / 3;
  }

 private:
  LayerPtr layers_, branch1_, branch2_, branch3_;
};

}  // namespace

std::shared_ptr<Layer> MakeMtNet(std::int64_t) {
  return std::make_shared<MtNet>();
}

}  // namespace xcloud::zoo
