#include "http/v2/infer_request.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "core/shown_text.h"
#include "http/v2/infer_inputs.h"
#include "http/v2/json_document.h"

namespace xcloud {
namespace {

constexpr std::string_view kHeader = "Inference-Header-Content-Length";
constexpr std::int64_t kMaxHeader = std::numeric_limits<std::int32_t>::max();

Status Invalid(std::string message) {
  return Status::InvalidArgument(std::move(message));
}

Status NotA(std::string_view name, std::string_view wanted) {
  return Invalid("Unable to parse '" + std::string(name) + "': it must be " + std::string(wanted));
}

Priority PriorityOf(std::uint64_t level) {
  if (level == 1) return Priority::kHigh;
  return level == 2 ? Priority::kNormal : Priority::kLow;
}

Status ReadParameter(const std::string& name, const JsonValue& value, V2Request& request) {
  if (name == "priority") {
    std::uint64_t level = 0;
    if (!value.AsUnsigned(level)) return NotA(name, "a whole number of at least 0");
    if (level > 0) request.priority = PriorityOf(level);
  } else if (name == "timeout") {
    std::uint64_t us = 0;
    if (!value.AsUnsigned(us)) return NotA(name, "a whole number of microseconds");
    request.timeout_us = static_cast<std::int64_t>(
        std::min<std::uint64_t>(us, std::numeric_limits<std::int64_t>::max()));
  } else if (name == "version") {
    std::uint64_t number = 0;
    const auto* text = value.As<std::string>();
    const bool given = text != nullptr || value.AsUnsigned(number);
    if (!given) return NotA(name, "a version's number or label");
    request.version = text != nullptr ? *text : std::to_string(number);
  } else if (name == "binary_data_output") {
    const bool* binary = value.As<bool>();
    if (binary == nullptr) return NotA(name, "true or false");
    request.binary_outputs = *binary;
  } else if (name == "sequence_id" || name == "sequence_start" || name == "sequence_end") {
    return Status::Unsupported("sequences are not supported: the parameter " + ShownName(name) +
                               " cannot be met");
  } else if (name.starts_with("triton_")) {
    return Invalid(
        "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
        "specified.");
  }
  return Status::Ok();  // others are for models that read them; none does
}

Status ReadParameters(const JsonValue& document, V2Request& request) {
  const JsonValue* parameters = document.Find("parameters");
  Status status = CheckV2Parameters(parameters, "the request");
  if (!status.ok() || parameters == nullptr) return status;
  std::unordered_set<std::string_view> seen;  // the first of a name counts
  for (const auto& [name, value] : *parameters->As<JsonValue::Object>()) {
    if (!seen.insert(name).second) continue;
    status = ReadParameter(name, value, request);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status ReadOutputParameters(const JsonValue& parameters, V2Output& output) {
  if (const JsonValue* binary = parameters.Find("binary_data")) {
    if (binary->As<bool>() == nullptr) return NotA("binary_data", "true or false");
    output.binary = *binary->As<bool>();
  }
  if (const JsonValue* classes = parameters.Find("classification")) {
    if (!classes->AsUnsigned(output.classes)) {
      return NotA("classification", "a whole number of at least 0");
    }
  }
  return Status::Ok();
}

Result<V2Output> ReadOutput(const JsonValue& value) {
  const JsonValue* name = value.Find("name");
  if (name == nullptr || name->As<std::string>() == nullptr) {
    return Invalid("Unable to parse 'name': each output needs one, a string");
  }
  V2Output output;
  output.name = *name->As<std::string>();
  const JsonValue* parameters = value.Find("parameters");
  Status status = CheckV2Parameters(parameters, "output " + ShownName(output.name));
  if (status.ok() && parameters != nullptr) status = ReadOutputParameters(*parameters, output);
  if (!status.ok()) return status;
  return output;
}

Status ReadOutputs(const JsonValue& document, const ServiceInfo& info, V2Request& request) {
  const JsonValue* member = document.Find("outputs");
  if (member == nullptr) return Status::Ok();
  const auto* outputs = member->As<JsonValue::Array>();
  if (outputs == nullptr) {
    return Invalid("Unable to parse 'outputs': attempt to access JSON non-array as array");
  }
  std::unordered_set<std::string> names;
  for (const JsonValue& value : *outputs) {
    auto output = ReadOutput(value);
    if (!output.ok()) return output.status();
    if (!names.insert(output->name).second) {
      return Invalid("output " + ShownName(output->name) + " already exists in request");
    }
    const bool known =
        std::any_of(info.outputs.begin(), info.outputs.end(),
                    [&](const TensorSpec& spec) { return spec.name == output->name; });
    if (!known) {
      return Invalid("unexpected inference output " + ShownName(output->name) + " for model '" +
                     info.name + "'");
    }
    request.outputs.push_back(*std::move(output));
  }
  return Status::Ok();
}

Result<V2Request> ParseRaw(const SharedBytes& body, const ServiceInfo& info) {
  auto input = ReadRawInput(body, info);
  if (!input.ok()) return input.status();
  V2Request request;
  request.inputs.push_back(*std::move(input));
  request.binary_outputs = true;
  return request;
}

}  // namespace

Result<std::size_t> ParseInferenceHeaderLength(std::string_view value, std::size_t body_bytes) {
  const std::string got = ", got: " + std::string(value.substr(0, 40));
  std::int64_t length = 0;
  switch (ReadJsonNumber(value, length)) {
    case JsonNumber::kNotInteger:
      return Invalid("Unable to parse " + std::string(kHeader) + got);
    case JsonNumber::kOutOfRange:
      length = kMaxHeader + 1;
      break;
    case JsonNumber::kOk:
      break;
  }
  if (length > kMaxHeader || length < -kMaxHeader - 1) {
    return Invalid("Unable to parse " + std::string(kHeader) +
                   ", value is out of range [ -2147483648, 2147483647 ]" + got);
  }
  if (length < 0 || static_cast<std::uint64_t>(length) > body_bytes) {
    return Invalid("inference header size should be in range (0, " + std::to_string(body_bytes) +
                   ")" + got);
  }
  return static_cast<std::size_t>(length);
}

Result<V2Request> ParseV2Request(const SharedBytes& body, std::optional<std::size_t> json_bytes,
                                 const ServiceInfo& info, std::uint64_t limit_bytes) {
  if (json_bytes == std::size_t{0}) return ParseRaw(body, info);
  const std::string_view json = body.view().substr(0, json_bytes.value_or(body.size()));
  const auto document = ParseJson(json, true);
  if (!document.ok()) return document.status();
  V2Request request;
  if (const JsonValue* id = document->Find("id")) {
    if (id->As<std::string>() == nullptr) return NotA("id", "a string");
    request.id = *id->As<std::string>();
  }
  Status status = ReadParameters(*document, request);
  if (status.ok()) status = ReadOutputs(*document, info, request);
  if (!status.ok()) return status;
  const V2InputSource source{json, body.Slice(body.view().substr(json.size())),
                             json_bytes.has_value(), info.name, limit_bytes};
  auto inputs = ReadV2Inputs(*document, source);
  if (!inputs.ok()) return inputs.status();
  request.inputs = *std::move(inputs);
  return request;
}

}  // namespace xcloud
