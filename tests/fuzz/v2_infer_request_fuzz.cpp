// libFuzzer target: the body of an infer request of the Open Inference Protocol, with and without
// its binary part, and raw.
//
// The first two bytes choose Inference-Header-Content-Length: 0 absent, else one less than the
// number, cut to the body; their highest bit, whether the model takes photos or floats. What gets
// through must be as large as its shape says, and must come back the same through JSON.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "http/v2/classification.h"
#include "http/v2/infer_answer.h"
#include "http/v2/infer_request.h"
#include "http/v2/tensor_json.h"

namespace xcloud {
namespace {

constexpr std::uint64_t kLimitBytes = 1 << 20;

ServiceInfo Model(bool photo) {
  ServiceInfo info;
  info.name = "m";
  if (photo) {
    info.inputs = {{"image", DataType::kBytes, {-1, 1}}};
  } else {
    info.inputs = {{"x", DataType::kFp32, {-1, -1, 2}}};
  }
  info.outputs = {{"y", DataType::kFp32, {-1, 2}}};
  return info;
}

void CheckSize(const Tensor& tensor) {
  const auto elements = ElementCount(tensor.shape);
  XC_CHECK(elements.has_value());
  if (tensor.type != DataType::kBytes) {
    XC_CHECK(tensor.data.size() == *elements * ElementSize(tensor.type));
    return;
  }
  const auto split = SplitBytesElements(tensor.data);
  XC_CHECK(split.has_value() && split->size() == *elements);
}

// NaN has many bit patterns and one JSON form.
template <class T>
bool SameReals(std::string_view a, std::string_view b) {
  for (std::size_t at = 0; at < a.size(); at += sizeof(T)) {
    T x{};
    T y{};
    std::memcpy(&x, a.data() + at, sizeof(T));
    std::memcpy(&y, b.data() + at, sizeof(T));
    const bool both_nan = std::isnan(x) && std::isnan(y);
    if (!both_nan && std::memcmp(&x, &y, sizeof(T)) != 0) return false;
  }
  return true;
}

bool SameBools(std::string_view a, std::string_view b) {
  for (std::size_t at = 0; at < a.size(); ++at) {
    if ((a[at] != 0) != (b[at] != 0)) return false;
  }
  return true;
}

bool Same(DataType type, std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (type == DataType::kFp32) return SameReals<float>(a, b);
  if (type == DataType::kFp64) return SameReals<double>(a, b);
  if (type == DataType::kBool) return SameBools(a, b);
  return a == b;
}

void CheckRoundTrip(const Tensor& tensor) {
  if (!HasJsonForm(tensor.type)) return;
  std::string text;
  const Status written = WriteTensorJson(tensor, text);
  if (!written.ok()) {
    XC_CHECK(tensor.type == DataType::kBytes && written.code() == StatusCode::kInvalidArgument);
    return;
  }
  const auto read =
      ReadTensorJson(text, 0, tensor.type, {*ElementCount(tensor.shape), kLimitBytes});
  XC_CHECK(read.ok() && Same(tensor.type, tensor.data.view(), *read));
}

// The inputs as if the model had echoed them, in the forms that were asked for.
void CheckAnswer(const V2Request& request, const ServiceInfo& info) {
  InferenceResult result;
  result.outputs = request.inputs;
  for (Tensor& output : result.outputs) output.name = "y";
  const auto answer = WriteV2Answer(request, info, result);
  if (!answer.ok()) return;
  for (const auto& [name, value] : answer->headers) {
    XC_CHECK(std::stoul(value) <= answer->body.size());
  }
}

void Check(std::string_view input) {
  const auto high = static_cast<unsigned char>(input[1]);
  const unsigned choice = static_cast<unsigned char>(input[0]) + 256U * (high & 0x7FU);
  const SharedBytes body{std::string(input.substr(2))};
  std::optional<std::size_t> json_bytes;
  if (choice > 0) {
    (void)ParseInferenceHeaderLength(body.view().substr(0, 24), body.size());
    const auto length = ParseInferenceHeaderLength(std::to_string(choice - 1), body.size());
    json_bytes = length.ok() ? *length : body.size();
  }
  const ServiceInfo info = Model(high < 0x80);
  const auto request = ParseV2Request(body, json_bytes, info, kLimitBytes);
  if (!request.ok()) return;
  for (const Tensor& tensor : request->inputs) {
    CheckSize(tensor);
    CheckRoundTrip(tensor);
  }
  CheckAnswer(*request, info);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size >= 2) xcloud::Check(input);
  return 0;
}
