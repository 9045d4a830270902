#include "models/zoo/layers.h"

#include <cmath>
#include <optional>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

namespace xcloud::zoo {
namespace {

constexpr double kNormMomentum = 0.1;  // PyTorch's default, of batch norm's running statistics
constexpr double kPReluStart = 0.25;

class ConvLayer final : public Layer {
 public:
  ConvLayer(std::int64_t inputs, std::int64_t outputs, ConvShape shape) : shape_(shape) {
    weight_ = register_parameter(
        "weight", at::zeros({outputs, inputs / shape.groups, shape.kernel, shape.kernel}));
    if (shape.bias) bias_ = register_parameter("bias", at::zeros({outputs}));
  }

  at::Tensor forward(const at::Tensor& x) override {
    // An even input of stride 2 needs one pixel more at the bottom and right than before it.
    const int total = shape_.same ? shape_.kernel - shape_.stride : 0;
    const int before = total / 2;
    const int padding = total % 2 == 0 ? before : 0;
    at::Tensor input = x;
    if (total % 2 != 0) {
      const std::int64_t after = total - before;
      input = at::constant_pad_nd(x, {before, after, before, after});
    }
    const std::int64_t margin = shape_.same ? padding : shape_.padding;
    std::optional<at::Tensor> bias;
    if (bias_.defined()) bias = bias_;
    return at::conv2d(input, weight_, bias, at::IntArrayRef({shape_.stride, shape_.stride}),
                      at::IntArrayRef({margin, margin}), at::IntArrayRef({1, 1}), shape_.groups);
  }

  void DrawWeights(at::Generator& source) override {
    const auto fan_out = static_cast<double>(weight_.size(0) * weight_.size(2) * weight_.size(3));
    weight_.normal_(0, std::sqrt(2.0 / fan_out), source);
    if (bias_.defined()) bias_.zero_();
  }

 private:
  const ConvShape shape_;
  at::Tensor weight_, bias_;
};

class NormLayer final : public Layer {
 public:
  NormLayer(std::int64_t channels, NormShape shape) : epsilon_(shape.epsilon) {
    if (shape.affine) {
      weight_ = register_parameter("weight", at::ones({channels}));
      bias_ = register_parameter("bias", at::zeros({channels}));
    }
    mean_ = register_buffer("running_mean", at::zeros({channels}));
    variance_ = register_buffer("running_var", at::ones({channels}));
    batches_ = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  }

  at::Tensor forward(const at::Tensor& x) override {
    if (is_training()) batches_.add_(1);
    std::optional<at::Tensor> weight, bias;
    if (weight_.defined()) weight = weight_;
    if (bias_.defined()) bias = bias_;
    return at::batch_norm(x, weight, bias, mean_, variance_, is_training(), kNormMomentum, epsilon_,
                          /*cudnn_enabled=*/true);
  }

  void DrawWeights(at::Generator&) override {
    if (weight_.defined()) weight_.fill_(1);
    if (bias_.defined()) bias_.zero_();
    mean_.zero_();
    variance_.fill_(1);
    batches_.zero_();
  }

 private:
  const double epsilon_;
  at::Tensor weight_, bias_, mean_, variance_, batches_;
};

class LinearLayer final : public Layer {
 public:
  LinearLayer(std::int64_t inputs, std::int64_t outputs) {
    weight_ = register_parameter("weight", at::zeros({outputs, inputs}));
    bias_ = register_parameter("bias", at::zeros({outputs}));
  }
  at::Tensor forward(const at::Tensor& x) override { return at::linear(x, weight_, bias_); }
  void DrawWeights(at::Generator& source) override {
    const double bound = 1.0 / std::sqrt(static_cast<double>(weight_.size(1)));
    weight_.uniform_(-bound, bound, source);
    bias_.zero_();
  }

 private:
  at::Tensor weight_, bias_;
};

class PReluLayer final : public Layer {
 public:
  explicit PReluLayer(std::int64_t channels) {
    weight_ = register_parameter("weight", at::zeros({channels}));
  }
  at::Tensor forward(const at::Tensor& x) override { return at::prelu(x, weight_); }
  void DrawWeights(at::Generator&) override { weight_.fill_(kPReluStart); }

 private:
  at::Tensor weight_;
};

// A layer that is a function of its input alone.
template <class Function>
class FunctionLayer final : public Layer {
 public:
  explicit FunctionLayer(Function function) : function_(std::move(function)) {}
  at::Tensor forward(const at::Tensor& x) override { return function_(x); }

 private:
  const Function function_;
};

template <class Function>
LayerPtr FromFunction(Function function) {
  return std::make_shared<FunctionLayer<Function>>(std::move(function));
}

class DropoutLayer final : public Layer {
 public:
  explicit DropoutLayer(double probability) : probability_(probability) {}
  at::Tensor forward(const at::Tensor& x) override {
    return is_training() ? at::dropout(x, probability_, /*train=*/true) : x;
  }

 private:
  const double probability_;
};

}  // namespace

void Initialize(Layer& network, std::uint64_t seed) {
  const c10::AutoGradMode no_gradients(false);
  at::Generator source = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const std::shared_ptr<torch::nn::Module>& module : network.modules()) {
    if (Layer* layer = module->as<Layer>()) layer->DrawWeights(source);
  }
}

LayerPtr Conv(std::int64_t inputs, std::int64_t outputs, ConvShape shape) {
  return std::make_shared<ConvLayer>(inputs, outputs, shape);
}

LayerPtr BatchNorm(std::int64_t channels, NormShape shape) {
  return std::make_shared<NormLayer>(channels, shape);
}

LayerPtr Linear(std::int64_t inputs, std::int64_t outputs) {
  return std::make_shared<LinearLayer>(inputs, outputs);
}

LayerPtr PRelu(std::int64_t channels) {
  return std::make_shared<PReluLayer>(channels);
}

LayerPtr Relu() {
  return FromFunction([](const at::Tensor& x) { return at::relu(x); });
}

LayerPtr Relu6() {
  return FromFunction([](const at::Tensor& x) { return at::hardtanh(x, 0, 6); });
}

LayerPtr Dropout(double probability) {
  return std::make_shared<DropoutLayer>(probability);
}

LayerPtr MaxPool(int kernel, int stride, int padding, bool round_up) {
  return FromFunction([=](const at::Tensor& x) {
    return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding}, {1, 1},
                          round_up);
  });
}

LayerPtr AvgPool(int kernel) {
  return FromFunction([=](const at::Tensor& x) {
    return at::avg_pool2d(x, {kernel, kernel}, {kernel, kernel});
  });
}

LayerPtr Softmax() {
  return FromFunction([](const at::Tensor& x) { return at::softmax(x, 1); });
}

LayerPtr GlobalPool() {
  return FromFunction([](const at::Tensor& x) { return x.mean({2, 3}); });
}

}  // namespace xcloud::zoo
