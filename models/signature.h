// A model's signature: what it takes and gives, as the Open Inference Protocol's metadata tells it.
// Pure functions; any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "models/model_definition.h"

namespace xcloud {

inline constexpr std::string_view kImageInput = "image";
inline constexpr std::string_view kProbabilitiesOutput = "probabilities";

// "image" as a photo model takes it in that type: BYTES [-1,1], UINT8 [-1,h,w,3], FP32 [-1,3,h,w]
// or, where the network's layout is so, [-1,h,w,3]. Nothing for other types.
std::optional<TensorSpec> ImageSpec(const PreprocessSpec& spec, DataType type);

// Of a photo model one input, of the type that [protocol] declares; of an echo model its [[input]].
std::vector<TensorSpec> InputSpecs(const ModelDefinition& model);
std::vector<TensorSpec> OutputSpecs(const ModelDefinition& model);

// "pytorch_libtorch", "null", "echo".
std::string_view PlatformName(const ModelDefinition& model);

}  // namespace xcloud
