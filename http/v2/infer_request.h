// V2Request: what the body of an infer request of the Open Inference Protocol asks for.
//
//   no Inference-Header-Content-Length   the body is JSON
//   N > 0                                N bytes of JSON, then the binary tensors in input order
//   0                                    the body is the model's single input ("raw"): a photo
// Binary inputs are slices of the body; only raw BYTES are copied, once, behind their length.
//
// What is checked here is what the words of the request can be wrong in; that the inputs are those
// of the model is the InferenceService's to check. A tensor that gets through has as many bytes as
// its shape and type say; of BYTES, as many elements as its shape says.
// Errors: InvalidArgument in Triton's words where clients look for them; Unsupported for sequences
// and shared memory.
// Thread safety: values and pure functions; any thread.
// Source: KServe "inference_rest.md", Triton "extension_binary_data.md" and "extension_parameters".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference_service.h"
#include "core/request.h"
#include "core/result.h"
#include "core/shared_bytes.h"

namespace xcloud {

struct V2Output {
  std::string name;
  bool binary = false;
  std::uint64_t classes = 0;  // > 0: the best so many as "value:index:label"; 0 = the tensor
};

struct V2Request {
  std::string id;  // empty = none
  std::vector<Tensor> inputs;
  std::vector<V2Output> outputs;     // as asked for, each one of the model's; empty = all
  bool binary_outputs = false;       // when `outputs` is empty
  std::optional<Priority> priority;  // "priority" 1, 2, 3 and more; 0 or absent = the model's own
  std::int64_t timeout_us = 0;       // "timeout"; 0 = none
  std::string version;               // "version": a number or a label; empty = none
};

// The value of Inference-Header-Content-Length for a body of `body_bytes`.
Result<std::size_t> ParseInferenceHeaderLength(std::string_view value, std::size_t body_bytes);

// `json_bytes`: as ParseInferenceHeaderLength gave it; nothing when there is no such header.
// `limit_bytes` bounds the tensors that are made of JSON, all together.
Result<V2Request> ParseV2Request(const SharedBytes& body, std::optional<std::size_t> json_bytes,
                                 const ServiceInfo& info, std::uint64_t limit_bytes);

}  // namespace xcloud
