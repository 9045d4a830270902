#include "models/zoo/trace.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/jit_type.h>
#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include "models/zoo/layers.h"

namespace xcloud::zoo {
namespace {

// The tree of attributes, with each part's parameters and buffers. Parts have classes of their
// own, numbered, because a class tells which attributes there are.
torch::jit::Module MirrorOf(const torch::nn::Module& part,
                            const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  torch::jit::Module mirror(c10::QualifiedName("__torch__.xcloud.Network"), unit,
                            /*shouldMangle=*/true);
  mirror.register_attribute("training", c10::BoolType::get(), false);
  for (const auto& item : part.named_parameters(/*recurse=*/false)) {
    mirror.register_parameter(item.key(), item.value(), /*is_buffer=*/false);
  }
  for (const auto& item : part.named_buffers(/*recurse=*/false)) {
    mirror.register_parameter(item.key(), item.value(), /*is_buffer=*/true);
  }
  for (const auto& child : part.named_children()) {
    mirror.register_module(child.key(), MirrorOf(*child.value(), unit));
  }
  return mirror;
}

torch::jit::Module Trace(Layer& network, std::span<const std::int64_t> item_dims) {
  const c10::AutoGradMode no_gradients(false);
  network.eval();
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module = MirrorOf(network, unit);
  std::vector<std::int64_t> shape = {2};
  shape.insert(shape.end(), item_dims.begin(), item_dims.end());
  const at::Tensor example = at::full(shape, 0.5);
  const auto run = [&](torch::jit::Stack inputs) -> torch::jit::Stack {
    return {network.forward(inputs.at(0).toTensor())};
  };
  const auto no_names = [](const at::Tensor&) { return std::string(); };
  auto traced = torch::jit::tracer::trace({example}, run, no_names, /*strict=*/true,
                                          /*force_outplace=*/true, &module, {"x"});
  torch::jit::Function* forward = unit->create_function(
      c10::QualifiedName(*module.type()->name(), "forward"), traced.first->graph);
  module.type()->addMethod(forward);
  return module;
}

}  // namespace

Result<torch::jit::Module> TraceNetwork(Layer& network, std::span<const std::int64_t> item_dims) {
  try {
    return Trace(network, item_dims);
  } catch (const c10::Error& error) {
    std::string why = error.what_without_backtrace();
    return Status::InvalidArgument("the network cannot run its input: " +
                                   why.substr(0, why.find('\n')));
  } catch (const std::exception& error) {
    return Status::InvalidArgument(std::string("the network cannot run its input: ") +
                                   error.what());
  }
}

}  // namespace xcloud::zoo
