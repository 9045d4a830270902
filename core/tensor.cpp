#include "core/tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace xcloud {
namespace {

constexpr std::size_t kMaxShownDims = 16;

struct Row {
  DataType type;
  std::string_view name;
  std::size_t size;
};

constexpr Row kRows[] = {
    {DataType::kBool, "BOOL", 1},     {DataType::kUint8, "UINT8", 1},
    {DataType::kUint16, "UINT16", 2}, {DataType::kUint32, "UINT32", 4},
    {DataType::kUint64, "UINT64", 8}, {DataType::kInt8, "INT8", 1},
    {DataType::kInt16, "INT16", 2},   {DataType::kInt32, "INT32", 4},
    {DataType::kInt64, "INT64", 8},   {DataType::kFp16, "FP16", 2},
    {DataType::kFp32, "FP32", 4},     {DataType::kFp64, "FP64", 8},
    {DataType::kBf16, "BF16", 2},     {DataType::kBytes, "BYTES", 0},
};

const Row& RowOf(DataType type) {
  for (const Row& row : kRows) {
    if (row.type == type) return row;
  }
  XC_CHECK(false);
}

constexpr std::size_t kLengthBytes = 4;

}  // namespace

std::string_view DataTypeName(DataType type) {
  return RowOf(type).name;
}

std::optional<DataType> ParseDataType(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::size_t ElementSize(DataType type) {
  return RowOf(type).size;
}

std::optional<std::uint64_t> ElementCount(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const auto size = static_cast<std::uint64_t>(dim);
    if (size != 0 && count > std::numeric_limits<std::uint64_t>::max() / size) return std::nullopt;
    count *= size;
  }
  return count;
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  const std::size_t shown = std::min(shape.size(), kMaxShownDims);
  std::string text = "[";
  for (std::size_t i = 0; i < shown; ++i) {
    text += (i > 0 ? "," : "") + std::to_string(shape[i]);
  }
  return text + (shown < shape.size() ? ",...]" : "]");
}

std::optional<std::vector<SharedBytes>> SplitBytesElements(const SharedBytes& data) {
  std::vector<SharedBytes> elements;
  std::string_view rest = data.view();
  while (!rest.empty()) {
    if (rest.size() < kLengthBytes) return std::nullopt;
    std::uint32_t length = 0;
    std::memcpy(&length, rest.data(), kLengthBytes);
    rest.remove_prefix(kLengthBytes);
    if (length > rest.size()) return std::nullopt;
    elements.push_back(data.Slice(rest.substr(0, length)));
    rest.remove_prefix(length);
  }
  return elements;
}

void AppendBytesElement(std::string& data, std::string_view element) {
  const auto length = static_cast<std::uint32_t>(element.size());
  XC_CHECK(length == element.size());
  char bytes[kLengthBytes];
  std::memcpy(bytes, &length, kLengthBytes);
  data.append(bytes, kLengthBytes).append(element);
}

}  // namespace xcloud
