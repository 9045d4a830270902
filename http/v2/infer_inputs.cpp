#include "http/v2/infer_inputs.h"

#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>

#include "core/shown_text.h"
#include "http/v2/tensor_json.h"

namespace xcloud {
namespace {

constexpr std::uint64_t kMaxElements = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kLengthBytes = 4;  // before each BYTES element

Status Invalid(std::string message) {
  return Status::InvalidArgument(std::move(message));
}

Status Unparsed(std::string_view what, std::string_view why) {
  return Invalid("Unable to parse '" + std::string(what) + "': " + std::string(why));
}

std::string Missing(std::string_view member) {
  return "attempt to access non-existing object member '" + std::string(member) + "'";
}

Result<std::string> StringMember(const JsonValue& object, std::string_view name) {
  const JsonValue* value = object.Find(name);
  if (value == nullptr) return Unparsed(name, Missing(name));
  const auto* text = value->As<std::string>();
  if (text == nullptr) return Unparsed(name, "attempt to access JSON non-string as string");
  return *text;
}

Result<std::vector<std::int64_t>> ReadShape(const JsonValue& input, const std::string& name) {
  const JsonValue* value = input.Find("shape");
  if (value == nullptr) return Unparsed("shape", Missing("shape"));
  const auto* dims = value->As<JsonValue::Array>();
  if (dims == nullptr) return Unparsed("shape", "attempt to access JSON non-array as array");
  std::vector<std::int64_t> shape;
  for (const JsonValue& dim : *dims) {
    std::uint64_t size = 0;
    if (!dim.AsUnsigned(size)) {
      return Unparsed("shape", "attempt to access JSON non-unsigned-integer as unsigned-integer");
    }
    if (size > kMaxElements) {
      return Invalid("invalid shape for input " + ShownName(name) +
                     ": shape contains one or more invalid dimensions");
    }
    shape.push_back(static_cast<std::int64_t>(size));
  }
  return shape;
}

// The elements and, unless they are BYTES, the bytes that the tensor claims to have.
struct Extent {
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

Result<Extent> ExtentOf(const Tensor& tensor) {
  const auto elements = ElementCount(tensor.shape);
  if (!elements || *elements > kMaxElements) {
    return Invalid(
        "invalid shape for input " + ShownName(tensor.name) + ": shape " + ShapeText(tensor.shape) +
        " causes total element count to exceed maximum size of " + std::to_string(kMaxElements));
  }
  const std::size_t size = ElementSize(tensor.type);
  if (size > 1 && *elements > kMaxElements / size) {
    return Invalid("byte size overflow for input " + ShownName(tensor.name) + ": element count (" +
                   std::to_string(*elements) + ") * data type size (" + std::to_string(size) +
                   ") exceeds maximum allowed size (" + std::to_string(kMaxElements) + ")");
  }
  return Extent{*elements, *elements * size};
}

// Where an input's data is.
struct Placement {
  const JsonValue::Unread* json = nullptr;
  std::optional<std::uint64_t> binary_bytes;
};

Result<Placement> FindData(const JsonValue& input) {
  Placement placement;
  if (const JsonValue* data = input.Find("data")) placement.json = data->As<JsonValue::Unread>();
  const JsonValue* parameters = input.Find("parameters");
  const JsonValue* size = parameters == nullptr ? nullptr : parameters->Find("binary_data_size");
  if (size != nullptr) {
    std::uint64_t bytes = 0;
    if (!size->AsUnsigned(bytes)) {
      return Unparsed("binary_data_size",
                      "attempt to access JSON non-unsigned-integer as unsigned-integer");
    }
    placement.binary_bytes = bytes;
  }
  return placement;
}

Status WrongPlacement(std::string_view found) {
  return Invalid(
      "Input must set only one of the following fields: 'data', 'binary_data_size' in "
      "'parameters', 'shared_memory_region' in 'parameters'. But" +
      std::string(found));
}

// Takes the inputs one after the other; the binary part is used up from its front.
class InputReader {
 public:
  explicit InputReader(const V2InputSource& source)
      : source_(source), rest_(source.binary.view()) {}

  Result<Tensor> Read(const JsonValue& input, bool only);
  bool done() const { return rest_.empty(); }

 private:
  Status TakeData(const JsonValue& input, bool only, Tensor& tensor);
  Status TakeBinary(std::uint64_t bytes, Tensor& tensor);
  Status TakeRest(Tensor& tensor);
  Status TakeJson(std::size_t offset, Tensor& tensor);

  const V2InputSource& source_;
  std::string_view rest_;
  std::uint64_t made_bytes_ = 0;  // of all tensors that were made of JSON
};

Result<Tensor> InputReader::Read(const JsonValue& input, bool only) {
  if (input.As<JsonValue::Object>() == nullptr) {
    return Unparsed("inputs", "attempt to access JSON non-object as object");
  }
  auto name = StringMember(input, "name");
  if (!name.ok()) return name.status();
  auto datatype = StringMember(input, "datatype");
  if (!datatype.ok()) return datatype.status();
  const auto type = ParseDataType(*datatype);
  if (!type) {
    return Invalid("invalid datatype for input " + ShownName(*name) + ": '" +
                   datatype->substr(0, 40) + "'");
  }
  auto shape = ReadShape(input, *name);
  if (!shape.ok()) return shape.status();
  Status status = CheckV2Parameters(input.Find("parameters"), "input " + ShownName(*name));
  if (!status.ok()) return status;
  Tensor tensor{*std::move(name), *type, *std::move(shape), {}};
  status = TakeData(input, only, tensor);
  if (!status.ok()) return status;
  return tensor;
}

Status InputReader::TakeData(const JsonValue& input, bool only, Tensor& tensor) {
  const auto placement = FindData(input);
  if (!placement.ok()) return placement.status();
  if (placement->json != nullptr) {
    if (placement->binary_bytes) return WrongPlacement(" set 'data' 'binary_data_size'");
    return TakeJson(placement->json->offset, tensor);
  }
  if (placement->binary_bytes) return TakeBinary(*placement->binary_bytes, tensor);
  if (!only || !source_.has_header) return WrongPlacement(" no field is set");
  return TakeRest(tensor);
}

Status InputReader::TakeBinary(std::uint64_t bytes, Tensor& tensor) {
  if (!source_.has_header && bytes > 0) {
    return Invalid(
        "must specify valid 'Inference-Header-Content-Length' in request header and "
        "'binary_data_size' when passing inputs in binary data format");
  }
  if (bytes > rest_.size()) {
    return Invalid("unexpected size for input " + ShownName(tensor.name) + ", expecting " +
                   std::to_string(bytes - rest_.size()) + " additional bytes for model '" +
                   std::string(source_.model) + "'");
  }
  tensor.data = source_.binary.Slice(rest_.substr(0, bytes));
  rest_.remove_prefix(bytes);
  return CheckTensorSize(tensor, source_.model);
}

// OpenVINO Model Server's form: the size may be left out when there is one input, and one BYTES
// element may then stand without its length.
Status InputReader::TakeRest(Tensor& tensor) {
  tensor.data = source_.binary.Slice(rest_);
  rest_ = {};
  Status status = CheckTensorSize(tensor, source_.model);
  const bool one_element = tensor.type == DataType::kBytes && ElementCount(tensor.shape) == 1;
  const std::size_t size = tensor.data.size();
  if (status.ok() || !one_element || size > std::numeric_limits<std::uint32_t>::max()) {
    return status;
  }
  std::string element;
  element.reserve(kLengthBytes + size);
  AppendBytesElement(element, tensor.data.view());
  tensor.data = SharedBytes(std::move(element));
  return Status::Ok();
}

Status InputReader::TakeJson(std::size_t offset, Tensor& tensor) {
  if (!HasJsonForm(tensor.type)) {
    return Invalid("receiving " + std::string(DataTypeName(tensor.type)) +
                   " data via JSON is not supported. Please use the binary data format for input " +
                   ShownText(tensor.name));
  }
  const auto extent = ExtentOf(tensor);
  if (!extent.ok()) return extent.status();
  const std::uint64_t left = source_.limit_bytes - made_bytes_;
  if (extent->bytes > left) {
    return Invalid("JSON input " + ShownName(tensor.name) + " has a byte_size (" +
                   std::to_string(extent->bytes) +
                   " bytes) that exceeds the maximum allowed value of " + std::to_string(left) +
                   " bytes. Use --http-max-input-size to increase the limit.");
  }
  auto data = ReadTensorJson(source_.json, offset, tensor.type, {extent->elements, left});
  if (!data.ok()) return data.status();
  made_bytes_ += data->size();
  tensor.data = SharedBytes(*std::move(data));
  return Status::Ok();
}

// Walks the lengths; nothing is allocated for what a caller merely claims.
Status CheckBytesElements(const Tensor& tensor, std::uint64_t expected, std::string_view model) {
  const std::string of = " for inference input " + ShownName(tensor.name);
  std::string_view rest = tensor.data.view();
  std::uint64_t count = 0;
  while (!rest.empty()) {
    if (++count > expected) {
      return Invalid("unexpected number of string elements " + std::to_string(count) + of +
                     " for model '" + std::string(model) + "', expecting " +
                     std::to_string(expected));
    }
    std::uint32_t length = 0;
    if (rest.size() >= kLengthBytes) std::memcpy(&length, rest.data(), kLengthBytes);
    if (rest.size() < kLengthBytes || length > rest.size() - kLengthBytes) {
      return Invalid("incomplete string data" + of + ", expecting string of length " +
                     std::to_string(length) + " but only " + std::to_string(rest.size()) +
                     " bytes available");
    }
    rest.remove_prefix(kLengthBytes + length);
  }
  if (count == expected) return Status::Ok();
  return Invalid("expected " + std::to_string(expected) + " string elements" + of + " for model '" +
                 std::string(model) + "', got " + std::to_string(count));
}

// What of the declared shape one item has. The batch is 1; one other size may follow from the
// body's.
Result<std::vector<std::int64_t>> RawShape(const TensorSpec& spec, std::size_t body_bytes) {
  std::vector<std::int64_t> shape = spec.dims;
  if (!shape.empty() && shape[0] < 0) shape[0] = 1;
  std::int64_t* open = nullptr;
  std::uint64_t known = 1;
  for (std::int64_t& dim : shape) {
    if (dim >= 0) {
      known *= static_cast<std::uint64_t>(dim);
    } else if (open == nullptr) {
      open = &dim;
    } else {
      return Invalid("The shape of the raw input '" + spec.name +
                     "' can not be deduced because there are more than one variable-sized "
                     "dimension");
    }
  }
  if (spec.type == DataType::kBytes) {
    if (open == nullptr && known == 1) return shape;
    return Invalid("For BYTE datatype raw input '" + spec.name +
                   "', the model must have input shape [1]");
  }
  if (open != nullptr) {
    const std::uint64_t row = known * ElementSize(spec.type);
    *open = row == 0 ? 0 : static_cast<std::int64_t>(body_bytes / row);
  }
  return shape;
}

}  // namespace

Status CheckTensorSize(const Tensor& tensor, std::string_view model) {
  const auto extent = ExtentOf(tensor);
  if (!extent.ok()) return extent.status();
  if (tensor.type == DataType::kBytes) return CheckBytesElements(tensor, extent->elements, model);
  if (extent->bytes == tensor.data.size()) return Status::Ok();
  return Invalid("input byte size mismatch for input " + ShownName(tensor.name) + " for model '" +
                 std::string(model) + "'. Expected " + std::to_string(extent->bytes) + ", got " +
                 std::to_string(tensor.data.size()));
}

Status CheckV2Parameters(const JsonValue* parameters, std::string_view of) {
  if (parameters == nullptr) return Status::Ok();
  const auto* members = parameters->As<JsonValue::Object>();
  if (members == nullptr) {
    return Unparsed("parameters", "attempt to access JSON non-object as object");
  }
  for (const auto& [name, value] : *members) {
    if (name.starts_with("shared_memory_")) {
      return Status::Unsupported("shared memory is not supported (" + std::string(of) +
                                 "): send the data in the request's body");
    }
    if (value.As<JsonValue::Null>() != nullptr || value.As<JsonValue::Array>() != nullptr ||
        value.As<JsonValue::Object>() != nullptr) {
      return Invalid("parameter " + ShownName(name) +
                     " has invalid type. It should be either 'int', 'bool', or 'string'.");
    }
  }
  return Status::Ok();
}

Result<std::vector<Tensor>> ReadV2Inputs(const JsonValue& request, const V2InputSource& source) {
  const JsonValue* member = request.Find("inputs");
  if (member == nullptr) return Unparsed("inputs", Missing("inputs"));
  const auto* inputs = member->As<JsonValue::Array>();
  if (inputs == nullptr) return Unparsed("inputs", "attempt to access JSON non-array as array");
  InputReader reader(source);
  std::vector<Tensor> tensors;
  std::unordered_set<std::string> names;
  for (const JsonValue& input : *inputs) {
    auto tensor = reader.Read(input, inputs->size() == 1);
    if (!tensor.ok()) return tensor.status();
    if (!names.insert(tensor->name).second) {
      return Invalid("input " + ShownName(tensor->name) + " already exists in request");
    }
    tensors.push_back(*std::move(tensor));
  }
  if (!reader.done()) {
    return Invalid("unexpected additional input data for model '" + std::string(source.model) +
                   "'");
  }
  return tensors;
}

Result<Tensor> ReadRawInput(const SharedBytes& body, const ServiceInfo& info) {
  if (info.inputs.size() != 1) {
    return Invalid("Raw request must only have 1 input (found 1) to be deduced but got " +
                   std::to_string(info.inputs.size()) + " inputs in '" + info.name +
                   "' model configuration");
  }
  const TensorSpec& spec = info.inputs.front();
  auto shape = RawShape(spec, body.size());
  if (!shape.ok()) return shape.status();
  Tensor tensor{spec.name, spec.type, *std::move(shape), body};
  if (spec.type == DataType::kBytes) {
    if (body.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Invalid("the raw input has over 4294967295 bytes");
    }
    std::string element;
    element.reserve(kLengthBytes + body.size());
    AppendBytesElement(element, body.view());
    tensor.data = SharedBytes(std::move(element));
  }
  Status status = CheckTensorSize(tensor, info.name);
  if (!status.ok()) return status;
  return tensor;
}

}  // namespace xcloud
