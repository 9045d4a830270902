// Layers: what the zoo's networks are built of. Each is a torch::nn::Module, so that a network
// trains like any other: parameters and buffers are registered under PyTorch's names, train() and
// eval() switch batch norm and dropout, and autograd records what forward does.
//
// One virtual forward of one tensor lets layers be kept in a list, which torch::nn's own modules
// do not; and it is what trace.h records. Weights are zero when made: Initialize draws them.
//
// Threads: forward of a layer in eval mode from any thread; everything else from one at a time.
// LibTorch's exceptions pass through: callers stop them at their door.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace xcloud::zoo {

class Layer : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x) = 0;
  // Draws this layer's own weights; layers without weights do nothing.
  virtual void DrawWeights(at::Generator&) {}

 protected:
  // Registers a part under its PyTorch name.
  template <class T>
  std::shared_ptr<T> Add(std::string name, std::shared_ptr<T> layer) {
    return register_module(std::move(name), std::move(layer));
  }
};

using LayerPtr = std::shared_ptr<Layer>;

// Draws every weight from one seed: He's normal (fan out) for convolutions, uniform in
// +-1/sqrt(inputs) for linear layers, one and zero for norms; biases zero, PReLU 0.25.
void Initialize(Layer& network, std::uint64_t seed);

struct ConvShape {
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int groups = 1;
  bool bias = false;
  bool same = false;  // padded as TensorFlow pads an even input; `padding` is not used
};

LayerPtr Conv(std::int64_t inputs, std::int64_t outputs, ConvShape shape);

struct NormShape {
  double epsilon = 1e-5;
  bool affine = true;  // a weight and a bias for each channel
};

LayerPtr BatchNorm(std::int64_t channels, NormShape shape = {});
LayerPtr Linear(std::int64_t inputs, std::int64_t outputs);
LayerPtr PRelu(std::int64_t channels);
LayerPtr Relu();
LayerPtr Relu6();
LayerPtr Dropout(double probability);
LayerPtr MaxPool(int kernel, int stride, int padding = 0, bool round_up = false);
LayerPtr AvgPool(int kernel);
LayerPtr Softmax();  // over the columns
// [n, c, h, w] -> [n, c]: the mean over each channel's pixels.
LayerPtr GlobalPool();

// Layers in a row. Then(layer) names it by its place, as nn.Sequential does.
class Chain final : public Layer {
 public:
  Chain() = default;
  explicit Chain(std::vector<LayerPtr> layers) {
    for (LayerPtr& layer : layers) Then(std::move(layer));
  }

  Chain& Then(std::string name, LayerPtr layer) {
    layers_.push_back(Add(std::move(name), std::move(layer)));
    return *this;
  }
  Chain& Then(LayerPtr layer) { return Then(std::to_string(layers_.size()), std::move(layer)); }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor y = x;
    for (const LayerPtr& layer : layers_) y = layer->forward(y);
    return y;
  }

 private:
  std::vector<LayerPtr> layers_;
};

inline std::shared_ptr<Chain> MakeChain(std::vector<LayerPtr> layers = {}) {
  return std::make_shared<Chain>(std::move(layers));
}

}  // namespace xcloud::zoo
