// The answer of an infer request of the Open Inference Protocol: JSON, then the binary tensors.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <cstddef>

#include "core/inference_service.h"
#include "core/request.h"
#include "core/result.h"
#include "http/response.h"
#include "http/v2/infer_request.h"

namespace xcloud {

// Numbers as JSON that are written on the io thread: a millisecond or so of it.
inline constexpr std::size_t kMaxQuickNumbers = 16'384;
// Whether more of them than that are to be written.
bool IsLongV2Answer(const V2Request& request, const InferenceResult& result);

// 200 with the outputs that were asked for, in the model's order. With a binary output among them
// it is application/octet-stream and has Inference-Header-Content-Length; else neither. A made-up
// answer says so in `parameters`.
// InvalidArgument: an output has no such form (FP16 as JSON, classes of BYTES). Internal: the model
// gave no such output, or one that does not fit its shape.
// REQUIRES: result.status.ok().
Result<Response> WriteV2Answer(const V2Request& request, const ServiceInfo& info,
                               const InferenceResult& result);

}  // namespace xcloud
