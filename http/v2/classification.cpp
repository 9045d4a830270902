#include "http/v2/classification.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

namespace xcloud {
namespace {

// NaN after everything else, so that the order is one.
template <class T>
bool Before(T a, T b) {
  if (a != a) return false;
  if (b != b) return true;
  return a > b;
}

template <class T>
void AppendBest(std::string_view row, std::size_t classes, const std::vector<std::string>* labels,
                std::string& out) {
  std::vector<T> values(row.size() / sizeof(T));
  std::memcpy(values.data(), row.data(), values.size() * sizeof(T));
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto best = order.begin() + static_cast<std::ptrdiff_t>(classes);
  std::partial_sort(order.begin(), best, order.end(), [&](std::size_t a, std::size_t b) {
    if (Before(values[a], values[b])) return true;
    return !Before(values[b], values[a]) && a < b;
  });
  for (auto it = order.begin(); it != best; ++it) {
    std::string text = std::to_string(values[*it]) + ":" + std::to_string(*it);
    if (labels != nullptr && *it < labels->size()) text += ":" + (*labels)[*it];
    AppendBytesElement(out, text);
  }
}

using Appender = void (*)(std::string_view, std::size_t, const std::vector<std::string>*,
                          std::string&);

// Null: the type has no order here, or none in Triton.
Appender AppenderOf(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return AppendBest<std::uint8_t>;
    case DataType::kUint16:
      return AppendBest<std::uint16_t>;
    case DataType::kUint32:
      return AppendBest<std::uint32_t>;
    case DataType::kUint64:
      return AppendBest<std::uint64_t>;
    case DataType::kInt8:
      return AppendBest<std::int8_t>;
    case DataType::kInt16:
      return AppendBest<std::int16_t>;
    case DataType::kInt32:
      return AppendBest<std::int32_t>;
    case DataType::kInt64:
      return AppendBest<std::int64_t>;
    case DataType::kFp32:
      return AppendBest<float>;
    case DataType::kFp64:
      return AppendBest<double>;
    case DataType::kBool:
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kBytes:
      break;
  }
  return nullptr;
}

}  // namespace

Result<Tensor> Classify(const Tensor& tensor, std::uint64_t classes,
                        const std::vector<std::string>* labels) {
  const Appender append = AppenderOf(tensor.type);
  if (append == nullptr) {
    return Status::InvalidArgument(
        "class result not available for output due to unsupported type '" +
        std::string(DataTypeName(tensor.type)) + "'");
  }
  const auto elements = ElementCount(tensor.shape);
  const std::size_t size = ElementSize(tensor.type);
  if (!elements || tensor.data.size() % size != 0 || tensor.data.size() / size != *elements) {
    return Status::Internal("output tensor shape does not match size of output for '" +
                            tensor.name + "'");
  }
  if (*elements > kMaxClassElements) {
    return Status::InvalidArgument("classification output tensor too large");
  }
  const std::uint64_t batch =
      tensor.shape.empty() ? 1 : static_cast<std::uint64_t>(tensor.shape.front());
  const std::uint64_t row = batch == 0 ? 0 : *elements / batch;
  const std::uint64_t wanted = std::min(classes, row);
  std::string data;
  for (std::uint64_t i = 0; wanted > 0 && i < batch; ++i) {
    append(tensor.data.view().substr(i * row * size, row * size), wanted, labels, data);
  }
  return Tensor{tensor.name,
                DataType::kBytes,
                {static_cast<std::int64_t>(batch), static_cast<std::int64_t>(wanted)},
                SharedBytes(std::move(data))};
}

}  // namespace xcloud
