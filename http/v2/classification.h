// The classification extension of the Open Inference Protocol: a tensor as the best of its classes.
//
// Thread safety: pure functions; any thread.
// Source: Triton "extension_classification.md"; 6 decimals are std::to_string's, which it uses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/tensor.h"

namespace xcloud {

// More elements are not sorted: what Triton refuses too.
inline constexpr std::uint64_t kMaxClassElements = 1'000'000;

// BYTES of shape [batch, k], each "<value>:<index>" or "<value>:<index>:<label>", by falling value,
// equal ones by index, NaN last. Each row has min(classes, its elements). `labels` may be null.
// InvalidArgument: a type that has no order, or over kMaxClassElements elements. Internal: the data
// does not fit the shape.
Result<Tensor> Classify(const Tensor& tensor, std::uint64_t classes,
                        const std::vector<std::string>* labels);

}  // namespace xcloud
