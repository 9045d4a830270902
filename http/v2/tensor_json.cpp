#include "http/v2/tensor_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "http/json_writer.h"
#include "http/v2/json_document.h"

namespace xcloud {
namespace {

constexpr std::size_t kLengthBytes = 4;  // before each BYTES element

Status Unparsed(const std::string& why) {
  return Status::InvalidArgument("Unable to parse 'data': " + why);
}

// What all types share: the array, the count, the bytes so far.
class TensorSink : public JsonSink {
 public:
  // `element_bytes`: of each of them; 0 = they differ. `text_bytes`: of the text that is left.
  TensorSink(const TensorJsonLimits& limits, std::size_t element_bytes, std::size_t text_bytes)
      : limits_(limits) {
    // Exactly what it takes, unless the text is too short for it: an element and what parts it from
    // the next are two bytes.
    const std::uint64_t most = std::min<std::uint64_t>(limits.elements, text_bytes / 2 + 1);
    data_.reserve(std::min<std::uint64_t>(most * element_bytes, limits.limit_bytes));
  }

  bool Null() override { return WrongType(); }
  bool Bool(bool) override { return WrongType(); }
  bool Number(std::string_view) override { return WrongType(); }
  bool String(std::string_view) override { return WrongType(); }
  bool BeginObject() override { return WrongType(); }
  bool Key(std::string_view, std::size_t) override { return WrongType(); }
  bool EndObject() override { return WrongType(); }
  bool BeginArray() override {
    in_array_ = true;
    return true;
  }
  bool EndArray() override { return true; }
  Status error() const override { return error_; }

  Result<std::string> Finish(Status walked) {
    if (!walked.ok()) return walked;
    if (count_ != limits_.elements) return Unparsed(kWrongShape);
    return std::move(data_);
  }

 protected:
  static constexpr const char* kWrongShape = "Shape does not match true shape of 'data' field";

  // The words for a value of another type: "attempt to access JSON non-... as ...".
  virtual const char* wrong_type() const = 0;

  bool Fail(const std::string& why) {
    error_ = Unparsed(why);
    return false;
  }
  bool WrongType() {
    return Fail(in_array_ ? wrong_type() : "attempt to access JSON non-array as array");
  }
  bool Append(const char* bytes, std::size_t size) {
    if (!in_array_) return WrongType();
    if (count_ == limits_.elements) return Fail(kWrongShape);
    if (size > limits_.limit_bytes - data_.size()) {
      return Fail("the tensor exceeds the maximum allowed value of " +
                  std::to_string(limits_.limit_bytes) + " bytes");
    }
    ++count_;
    data_.append(bytes, size);
    return true;
  }
  bool OutOfRange(std::string_view text, DataType type) {
    return Fail(std::string(text.substr(0, 40)) + " is out of range for " +
                std::string(DataTypeName(type)));
  }

 private:
  const TensorJsonLimits limits_;
  std::string data_;
  std::uint64_t count_ = 0;
  bool in_array_ = false;
  Status error_;
};

template <class T>
class NumberSink final : public TensorSink {
 public:
  NumberSink(const TensorJsonLimits& limits, std::size_t text_bytes, DataType type)
      : TensorSink(limits, sizeof(T), text_bytes), type_(type) {}

  bool Number(std::string_view text) override {
    T value{};
    switch (ReadJsonNumber(text, value)) {
      case JsonNumber::kOk:
        break;
      case JsonNumber::kNotInteger:
        return WrongType();
      case JsonNumber::kOutOfRange:
        return OutOfRange(text, type_);
    }
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    return Append(bytes, sizeof(T));
  }

 protected:
  const char* wrong_type() const override {
    if constexpr (std::is_floating_point_v<T>) return "attempt to access JSON non-number as double";
    if constexpr (std::is_signed_v<T>) {
      return "attempt to access JSON non-signed-integer as signed-integer";
    }
    return "attempt to access JSON non-unsigned-integer as unsigned-integer";
  }

 private:
  const DataType type_;
};

class BoolSink final : public TensorSink {
 public:
  BoolSink(const TensorJsonLimits& limits, std::size_t text_bytes)
      : TensorSink(limits, 1, text_bytes) {}
  bool Bool(bool value) override { return Append(value ? "\1" : "\0", 1); }
  bool Number(std::string_view text) override {
    if (text != "0" && text != "1") return WrongType();
    return Bool(text == "1");
  }

 protected:
  const char* wrong_type() const override {
    return "attempt to access JSON non-boolean as boolean";
  }
};

class BytesSink final : public TensorSink {
 public:
  BytesSink(const TensorJsonLimits& limits, std::size_t text_bytes)
      : TensorSink(limits, 0, text_bytes) {}
  bool String(std::string_view text) override {
    element_.clear();
    AppendBytesElement(element_, text);
    return Append(element_.data(), element_.size());
  }

 protected:
  const char* wrong_type() const override { return "attempt to access JSON non-string as string"; }

 private:
  std::string element_;
};

template <class Sink, class... Args>
Result<std::string> ReadWith(std::string_view text, std::size_t offset,
                             const TensorJsonLimits& limits, Args... args) {
  Sink sink(limits, text.size() - offset, args...);
  return sink.Finish(WalkJsonValue(text, offset, sink));
}

template <class T>
void AppendNumber(std::string& out, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) {
      out += "NaN";
      return;
    }
    if (std::isinf(value)) {
      out += value < 0 ? "-Infinity" : "Infinity";
      return;
    }
  }
  char digits[40];
  const auto written = std::to_chars(std::begin(digits), std::end(digits), value);
  const std::string_view text(digits, static_cast<std::size_t>(written.ptr - digits));
  out += text;
  // A typed reader shall see a float.
  if (std::is_floating_point_v<T> && text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

template <class T>
void WriteNumbers(std::string_view data, std::string& out) {
  for (std::size_t at = 0; at < data.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, data.data() + at, sizeof(T));
    if (at > 0) out += ',';
    AppendNumber(out, value);
  }
}

void WriteBools(std::string_view data, std::string& out) {
  for (std::size_t at = 0; at < data.size(); ++at) {
    if (at > 0) out += ',';
    out += data[at] != 0 ? "true" : "false";
  }
}

Status Misshapen(const Tensor& tensor) {
  return Status::Internal("output tensor shape does not match size of output for '" + tensor.name +
                          "'");
}

Status WriteStrings(const Tensor& tensor, std::uint64_t elements, std::string& out) {
  std::string_view rest = tensor.data.view();
  for (std::uint64_t i = 0; i < elements; ++i) {
    std::uint32_t length = 0;
    if (rest.size() < kLengthBytes) return Misshapen(tensor);
    std::memcpy(&length, rest.data(), kLengthBytes);
    rest.remove_prefix(kLengthBytes);
    if (length > rest.size()) return Misshapen(tensor);
    const std::string_view element = rest.substr(0, length);
    if (!IsUtf8(element)) {
      return Status::InvalidArgument("an element of output '" + tensor.name +
                                     "' is not UTF-8, which JSON cannot carry. Please use the "
                                     "binary data format for output");
    }
    if (i > 0) out += ',';
    AppendJsonString(out, element);
    rest.remove_prefix(length);
  }
  return rest.empty() ? Status::Ok() : Misshapen(tensor);
}

void WriteFixed(DataType type, std::string_view data, std::string& out) {
  switch (type) {
    case DataType::kBool:
      return WriteBools(data, out);
    case DataType::kUint8:
      return WriteNumbers<std::uint8_t>(data, out);
    case DataType::kUint16:
      return WriteNumbers<std::uint16_t>(data, out);
    case DataType::kUint32:
      return WriteNumbers<std::uint32_t>(data, out);
    case DataType::kUint64:
      return WriteNumbers<std::uint64_t>(data, out);
    case DataType::kInt8:
      return WriteNumbers<std::int8_t>(data, out);
    case DataType::kInt16:
      return WriteNumbers<std::int16_t>(data, out);
    case DataType::kInt32:
      return WriteNumbers<std::int32_t>(data, out);
    case DataType::kInt64:
      return WriteNumbers<std::int64_t>(data, out);
    case DataType::kFp32:
      return WriteNumbers<float>(data, out);
    case DataType::kFp64:
      return WriteNumbers<double>(data, out);
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kBytes:
      break;
  }
  XC_CHECK(false);
}

}  // namespace

bool HasJsonForm(DataType type) {
  return type != DataType::kFp16 && type != DataType::kBf16;
}

Result<std::string> ReadTensorJson(std::string_view text, std::size_t offset, DataType type,
                                   const TensorJsonLimits& limits) {
  switch (type) {
    case DataType::kBool:
      return ReadWith<BoolSink>(text, offset, limits);
    case DataType::kUint8:
      return ReadWith<NumberSink<std::uint8_t>>(text, offset, limits, type);
    case DataType::kUint16:
      return ReadWith<NumberSink<std::uint16_t>>(text, offset, limits, type);
    case DataType::kUint32:
      return ReadWith<NumberSink<std::uint32_t>>(text, offset, limits, type);
    case DataType::kUint64:
      return ReadWith<NumberSink<std::uint64_t>>(text, offset, limits, type);
    case DataType::kInt8:
      return ReadWith<NumberSink<std::int8_t>>(text, offset, limits, type);
    case DataType::kInt16:
      return ReadWith<NumberSink<std::int16_t>>(text, offset, limits, type);
    case DataType::kInt32:
      return ReadWith<NumberSink<std::int32_t>>(text, offset, limits, type);
    case DataType::kInt64:
      return ReadWith<NumberSink<std::int64_t>>(text, offset, limits, type);
    case DataType::kFp32:
      return ReadWith<NumberSink<float>>(text, offset, limits, type);
    case DataType::kFp64:
      return ReadWith<NumberSink<double>>(text, offset, limits, type);
    case DataType::kBytes:
      return ReadWith<BytesSink>(text, offset, limits);
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  XC_CHECK(false);
}

Status WriteTensorJson(const Tensor& tensor, std::string& out) {
  const auto elements = ElementCount(tensor.shape);
  if (!elements) return Misshapen(tensor);
  out += '[';
  if (tensor.type == DataType::kBytes) {
    Status status = WriteStrings(tensor, *elements, out);
    if (!status.ok()) return status;
  } else {
    if (tensor.data.size() / ElementSize(tensor.type) != *elements ||
        tensor.data.size() % ElementSize(tensor.type) != 0) {
      return Misshapen(tensor);
    }
    WriteFixed(tensor.type, tensor.data.view(), out);
  }
  out += ']';
  return Status::Ok();
}

}  // namespace xcloud
