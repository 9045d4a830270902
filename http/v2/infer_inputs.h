// The inputs of an infer request: from JSON, from the binary part of the body, or raw.
//
// Errors, sources, threads: as infer_request.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/inference_service.h"
#include "core/result.h"
#include "core/shared_bytes.h"
#include "http/v2/json_document.h"

namespace xcloud {

struct V2InputSource {
  std::string_view json;    // the text that `request` was parsed from
  SharedBytes binary;       // what follows it in the body
  bool has_header = false;  // Inference-Header-Content-Length was sent
  std::string_view model;   // for messages
  std::uint64_t limit_bytes = 0;
};

// The member "inputs" of `request`, which was parsed with leave_tensor_data.
Result<std::vector<Tensor>> ReadV2Inputs(const JsonValue& request, const V2InputSource& source);

// `body` as the one input of the model, for one item.
Result<Tensor> ReadRawInput(const SharedBytes& body, const ServiceInfo& info);

// As many bytes as shape and type say; of BYTES, as many elements. In Triton's words.
Status CheckTensorSize(const Tensor& tensor, std::string_view model);

// The values of `parameters` are plain, and none asks for shared memory. `of`: "input 'x'".
Status CheckV2Parameters(const JsonValue* parameters, std::string_view of);

}  // namespace xcloud
