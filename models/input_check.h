// Input check: do a request's photo or tensors fit the model, how many items are they, and in
// which of the forms that a network takes? Pure functions; any thread. Looks at lengths, and
// once at the numbers of an FP32 image: less than 0.1 ms for one of 3 x 224 x 224 (602 KB), so that
// it may run on an io thread, which has copied the same bytes from the socket before.
//
// Errors are InvalidArgument. Source of the sentences: triton-inference-server/core,
// src/infer_request.cc and src/model.cc, and its L0_input_validation, whose clients match them.
#pragma once

#include <cstddef>
#include <optional>

#include "core/request.h"
#include "core/result.h"
#include "core/tensor.h"
#include "models/model_definition.h"

namespace xcloud {

enum class InputForm {
  kPhotos,  // encoded files, each to be decoded
  kPixels,  // UINT8, of the network's size
  kTensor,  // FP32, the network's own input; of a model of pictures normalised
  kEchoed,  // of the echo backend: whatever its inputs are
};

struct CheckedInputs {
  InputForm form = InputForm::kPhotos;
  std::size_t items = 1;
};

// A photo is one item, whatever is in it: the decoder tells. Of tensors the first dimension is the
// number of items, at least one, and their data is as long as their shapes say. The numbers of an
// FP32 image are finite: what a network makes of others is not its fault. An echo model takes any.
Result<CheckedInputs> CheckInputs(const ModelDefinition& model, const InferenceRequest& request);

}  // namespace xcloud
