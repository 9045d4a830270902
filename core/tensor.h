// Tensors as callers send and get them: the words of the Open Inference Protocol, without its JSON.
//
// Thread safety: plain values and pure functions; any thread.
// Source of names and sizes: KServe Open Inference Protocol, "Tensor Data Types"; BF16 and the
// layout of BYTES: Triton's binary tensor data extension.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/shared_bytes.h"

namespace xcloud {

enum class DataType {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBf16,
  kBytes,  // each element a string of its own length
};
std::string_view DataTypeName(DataType type);  // "FP32"
std::optional<DataType> ParseDataType(std::string_view name);
// Bytes of one element; 0 for kBytes, whose elements differ.
std::size_t ElementSize(DataType type);

// What a model takes or gives, as its metadata tells it. dims[0] is the batch, -1; any other -1 is
// a size that the caller chooses.
struct TensorSpec {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<std::int64_t> dims;
};

// `data` is row-major and little-endian, as on the wire. Of kBytes, each element is its length in
// four bytes, then its bytes.
struct Tensor {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<std::int64_t> shape;
  SharedBytes data;
};

// The product of `shape`; nothing when a dimension is negative or the product does not fit.
std::optional<std::uint64_t> ElementCount(const std::vector<std::int64_t>& shape);
// "[1,224,224,3]", for messages: after sixteen dimensions "...".
std::string ShapeText(const std::vector<std::int64_t>& shape);

// The elements of a kBytes tensor, each with a share of the same buffer. Nothing when the lengths
// do not add up to the data.
std::optional<std::vector<SharedBytes>> SplitBytesElements(const SharedBytes& data);
// Appends one element: its length, then its bytes. REQUIRES: element.size() < 2^32.
void AppendBytesElement(std::string& data, std::string_view element);

}  // namespace xcloud
