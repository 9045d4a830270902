#include "models/input_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/shown_text.h"
#include "models/signature.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxListed = 16;

// A caller's name, which may be of any length.
std::string Quoted(std::string_view name) {
  return ShownName(name);
}

// "for input 'image' for model 'imagenet'".
std::string About(const Tensor& input, const ModelDefinition& model) {
  return "for input " + Quoted(input.name) + " for model " + Quoted(model.name);
}

template <class Range>
std::string Names(const Range& range) {
  std::string text = "[";
  std::size_t listed = 0;
  for (const auto& one : range) {
    if (listed == kMaxListed) return text + ",...]";
    text += (listed > 0 ? "," : "") + Quoted(one.name);
    ++listed;
  }
  return text + "]";
}

template <class Range>
bool HasName(const Range& range, std::string_view name) {
  return std::any_of(range.begin(), range.end(), [&](const auto& one) { return one.name == name; });
}

// Each expected input is there once, and no other.
Status CheckNames(const ModelDefinition& model, const std::vector<TensorSpec>& expected,
                  const std::vector<Tensor>& inputs) {
  std::vector<TensorSpec> missing;
  for (const TensorSpec& spec : expected) {
    if (!HasName(inputs, spec.name)) missing.push_back(spec);
  }
  if (!missing.empty() && inputs.size() != expected.size()) {
    return Status::InvalidArgument("expected " + std::to_string(expected.size()) +
                                   " inputs but got " + std::to_string(inputs.size()) +
                                   " inputs for model " + Quoted(model.name) + ". Got input(s) " +
                                   Names(inputs) + ", but missing required input(s) " +
                                   Names(missing) + ". Please provide all required input(s).");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = inputs[i].name;
    if (!HasName(expected, name)) {
      return Status::InvalidArgument("unexpected inference input " + Quoted(name) + " for model " +
                                     Quoted(model.name));
    }
    const auto before = inputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(inputs.begin(), before, [&](const Tensor& t) { return t.name == name; })) {
      return Status::InvalidArgument("input " + Quoted(name) + " already exists in request");
    }
  }
  return Status::Ok();
}

Status WrongType(const ModelDefinition& model, const Tensor& input, const std::string& expected) {
  return Status::InvalidArgument("inference input " + Quoted(input.name) + " data-type is " +
                                 Quoted(DataTypeName(input.type)) + ", but model " +
                                 Quoted(model.name) + " expects " + expected);
}

bool Matches(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& dims) {
  if (shape.size() != dims.size()) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (shape[i] < 0 || (dims[i] >= 0 && shape[i] != dims[i])) return false;
  }
  return true;
}

Status CheckShape(const ModelDefinition& model, const TensorSpec& spec, const Tensor& input) {
  // Encoded photos are a list: whether it is written as a column does not matter.
  const bool list = !model.echoes() && spec.type == DataType::kBytes && input.shape.size() == 1 &&
                    input.shape[0] >= 0;
  if (!list && !Matches(input.shape, spec.dims)) {
    return Status::InvalidArgument("unexpected shape " + About(input, model) + ". Expected " +
                                   ShapeText(spec.dims) + ", got " + ShapeText(input.shape) +
                                   ". The first dimension is the number of items.");
  }
  if (input.shape[0] == 0) {
    return Status::InvalidArgument("unexpected shape " + About(input, model) + ": " +
                                   ShapeText(input.shape) + " holds no items");
  }
  return Status::Ok();
}

// `expected` elements, each its length and then so many bytes, and nothing behind them.
Status CheckBytes(const Tensor& input, std::uint64_t expected) {
  std::string_view rest = input.data.view();
  std::uint64_t count = 0;
  while (!rest.empty() && count <= expected) {
    std::uint32_t length = 0;
    if (rest.size() < sizeof length) {
      return Status::InvalidArgument("incomplete string length indicator for inference input " +
                                     Quoted(input.name) + ", expecting 4 bytes but only " +
                                     std::to_string(rest.size()) + " bytes available");
    }
    std::memcpy(&length, rest.data(), sizeof length);
    rest.remove_prefix(sizeof length);
    if (rest.size() < length) {
      return Status::InvalidArgument("incomplete string data for inference input " +
                                     Quoted(input.name) + ", expecting string of length " +
                                     std::to_string(length) + " but only " +
                                     std::to_string(rest.size()) + " bytes available");
    }
    rest.remove_prefix(length);
    ++count;
  }
  if (count == expected) return Status::Ok();
  return Status::InvalidArgument("expected " + std::to_string(expected) +
                                 " strings for inference input " + Quoted(input.name) + ", got " +
                                 std::to_string(count) + (rest.empty() ? "" : " or more"));
}

Status CheckData(const ModelDefinition& model, const Tensor& input) {
  const std::optional<std::uint64_t> count = ElementCount(input.shape);
  const std::uint64_t size = std::max<std::uint64_t>(ElementSize(input.type), 1);
  if (!count || *count > std::numeric_limits<std::uint64_t>::max() / size) {
    return Status::InvalidArgument("unexpected shape " + About(input, model) + ": " +
                                   ShapeText(input.shape) + " has too many elements");
  }
  if (input.type == DataType::kBytes) return CheckBytes(input, *count);
  if (*count * size == input.data.size()) return Status::Ok();
  return Status::InvalidArgument("input byte size mismatch " + About(input, model) + ". Expected " +
                                 std::to_string(*count * size) + ", got " +
                                 std::to_string(input.data.size()));
}

// Of a block of FP32: an exponent of all ones is NaN or infinity, and carries into the sign bit.
// Without branches and of a known length, so that the compiler makes it wide; unaligned.
constexpr std::size_t kBlock = 1024;  // floats
bool BlockIsFinite(const char* data, std::size_t count) {
  std::uint32_t carried = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, data + i * sizeof bits, sizeof bits);
    carried |= (bits & 0x7fffffffU) + 0x00800000U;
  }
  return (carried & 0x80000000U) == 0;
}

Status CheckFinite(const ModelDefinition& model, const Tensor& input) {
  const std::string_view data = input.data.view();
  const std::size_t count = data.size() / sizeof(float);
  bool finite = true;
  std::size_t at = 0;
  for (; finite && count - at >= kBlock; at += kBlock) {
    finite = BlockIsFinite(data.data() + at * sizeof(float), kBlock);
  }
  if (finite && BlockIsFinite(data.data() + at * sizeof(float), count - at)) return Status::Ok();
  return Status::InvalidArgument("NaN or infinity " + About(input, model) +
                                 ": its values are to be finite");
}

// Of a model that takes values instead of pictures.
Result<CheckedInputs> CheckValues(const ModelDefinition& model, const Tensor& input) {
  const TensorSpec& spec = *model.tensor_input;
  if (input.type != spec.type) return WrongType(model, input, Quoted(DataTypeName(spec.type)));
  if (Status status = CheckShape(model, spec, input); !status.ok()) return status;
  if (Status status = CheckData(model, input); !status.ok()) return status;
  if (Status status = CheckFinite(model, input); !status.ok()) return status;
  return CheckedInputs{InputForm::kTensor, static_cast<std::size_t>(input.shape[0])};
}

Result<CheckedInputs> CheckImage(const ModelDefinition& model, const Tensor& input) {
  const std::optional<TensorSpec> spec = ImageSpec(model.preprocess, input.type);
  if (!spec) return WrongType(model, input, "'BYTES', 'UINT8' or 'FP32'");
  if (model.on_host() && input.type == DataType::kFp32) {
    return WrongType(model, input,
                     "'BYTES' or 'UINT8': it looks at photos, not at what a network "
                     "takes");
  }
  if (Status status = CheckShape(model, *spec, input); !status.ok()) return status;
  if (Status status = CheckData(model, input); !status.ok()) return status;
  if (input.type == DataType::kFp32) {
    if (Status status = CheckFinite(model, input); !status.ok()) return status;
  }
  CheckedInputs checked;
  checked.items = static_cast<std::size_t>(input.shape[0]);
  checked.form = input.type == DataType::kBytes   ? InputForm::kPhotos
                 : input.type == DataType::kUint8 ? InputForm::kPixels
                                                  : InputForm::kTensor;
  return checked;
}

Result<CheckedInputs> CheckEchoed(const ModelDefinition& model,
                                  const std::vector<TensorSpec>& specs,
                                  const std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs) {
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const TensorSpec& one) { return one.name == input.name; });
    if (input.type != spec->type) {
      return WrongType(model, input, Quoted(DataTypeName(spec->type)));
    }
    if (Status status = CheckShape(model, *spec, input); !status.ok()) return status;
    if (input.shape[0] != inputs.front().shape[0]) {
      return Status::InvalidArgument("input " + Quoted(input.name) +
                                     " batch size does not match other inputs for " +
                                     Quoted(model.name));
    }
    if (Status status = CheckData(model, input); !status.ok()) return status;
  }
  return CheckedInputs{InputForm::kEchoed, static_cast<std::size_t>(inputs.front().shape[0])};
}

}  // namespace

Result<CheckedInputs> CheckInputs(const ModelDefinition& model, const InferenceRequest& request) {
  const bool labels = request.answer == AnswerKind::kPredictions;
  const bool photo = !request.image.empty() || (labels && request.inputs.empty());
  if (model.echoes() && (photo || labels)) {
    return Status::InvalidArgument("model " + Quoted(model.name) + " takes tensors, not photos, " +
                                   "and gives tensors back");
  }
  if (model.tensor_input && photo) {
    return Status::InvalidArgument("model " + Quoted(model.name) + " takes the input " +
                                   Quoted(model.tensor_input->name) + ", not photos");
  }
  if (photo && !request.inputs.empty()) {
    return Status::InvalidArgument("a request holds a photo or inputs, not both");
  }
  if (photo) return CheckedInputs{};
  const std::vector<TensorSpec> specs = InputSpecs(model);
  if (Status status = CheckNames(model, specs, request.inputs); !status.ok()) return status;
  if (model.echoes()) return CheckEchoed(model, specs, request.inputs);
  Result<CheckedInputs> checked = model.tensor_input ? CheckValues(model, request.inputs.front())
                                                     : CheckImage(model, request.inputs.front());
  if (checked.ok() && labels && checked->items != 1) {
    return Status::InvalidArgument("labels are given for one photo at a time, this request holds " +
                                   std::to_string(checked->items));
  }
  return checked;
}

}  // namespace xcloud
