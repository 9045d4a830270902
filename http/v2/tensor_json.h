// Tensors as JSON: the `data` of the Open Inference Protocol, both ways.
//
//   BOOL true, false (0 and 1 are read too) · whole numbers of the type's range · FP32, FP64 as
//   numbers, NaN, Infinity, -Infinity · BYTES as strings · FP16 and BF16 have no JSON form
// Read nested to any shape or flat, row-major; written flat. FP32 is written as the shortest text
// that reads back as the same float.
// Thread safety: pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/tensor.h"

namespace xcloud {

// What one `data` must be.
struct TensorJsonLimits {
  std::uint64_t elements = 0;     // exactly
  std::uint64_t limit_bytes = 0;  // of the tensor that is made; more is refused
};

// The tensor's bytes, from the array that begins at text[offset]. Memory grows with the text and
// not with the shape that the caller claims. InvalidArgument: "Unable to parse 'data': ...".
// REQUIRES: HasJsonForm(type).
Result<std::string> ReadTensorJson(std::string_view text, std::size_t offset, DataType type,
                                   const TensorJsonLimits& limits);

// Appends the array. InvalidArgument: a BYTES element is not UTF-8. Internal: the data does not
// fit the shape. REQUIRES: HasJsonForm(tensor.type).
Status WriteTensorJson(const Tensor& tensor, std::string& out);

// Not FP16, BF16.
bool HasJsonForm(DataType type);

}  // namespace xcloud
