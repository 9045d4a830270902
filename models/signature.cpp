#include "models/signature.h"

#include <string>

namespace xcloud {

std::optional<TensorSpec> ImageSpec(const PreprocessSpec& spec, DataType type) {
  const std::int64_t height = spec.crop_height;
  const std::int64_t width = spec.crop_width;
  TensorSpec image{std::string(kImageInput), type, {-1, height, width, 3}};
  switch (type) {
    case DataType::kBytes:
      image.dims = {-1, 1};
      return image;
    case DataType::kUint8:
      return image;
    case DataType::kFp32:
      if (spec.layout == TensorLayout::kNchw) image.dims = {-1, 3, height, width};
      return image;
    default:
      return std::nullopt;
  }
}

std::vector<TensorSpec> InputSpecs(const ModelDefinition& model) {
  std::vector<TensorSpec> specs;
  if (model.tensor_input) {
    specs.push_back(*model.tensor_input);
    return specs;
  }
  if (!model.echoes()) {
    specs.push_back(ImageSpec(model.preprocess, model.image_type).value());
    return specs;
  }
  for (const EchoTensor& echo : model.echo) specs.push_back(echo.input);
  return specs;
}

std::vector<TensorSpec> OutputSpecs(const ModelDefinition& model) {
  std::vector<TensorSpec> specs;
  if (model.values_output) {
    specs.push_back(*model.values_output);
    return specs;
  }
  if (!model.echoes()) {
    specs.push_back({std::string(kProbabilitiesOutput),
                     DataType::kFp32,
                     {-1, static_cast<std::int64_t>(model.labels.size())}});
    return specs;
  }
  for (const EchoTensor& echo : model.echo) {
    specs.push_back({echo.output, echo.input.type, echo.input.dims});
  }
  return specs;
}

std::string_view PlatformName(const ModelDefinition& model) {
  if (model.echoes()) return "echo";
  if (model.backend == "null" || model.on_host() || model.is_pipeline()) return model.backend;
  return "pytorch_libtorch";
}

}  // namespace xcloud
