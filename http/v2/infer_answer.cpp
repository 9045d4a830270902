#include "http/v2/infer_answer.h"

#include <string>
#include <utility>
#include <vector>

#include "http/json_writer.h"
#include "http/v2/classification.h"
#include "http/v2/tensor_json.h"

namespace xcloud {
namespace {

constexpr std::string_view kBinaryType = "application/octet-stream";

// A tensor on its way out.
struct Written {
  Tensor tensor;
  bool binary = false;
};

const V2Output* FindAsked(const V2Request& request, std::string_view name) {
  for (const V2Output& output : request.outputs) {
    if (output.name == name) return &output;
  }
  return nullptr;
}

Result<Written> Prepare(const Tensor& tensor, const V2Output& asked, const ServiceInfo& info) {
  if (asked.classes > 0) {
    auto classes = Classify(tensor, asked.classes, info.labels.get());
    if (!classes.ok()) return classes.status();
    return Written{*std::move(classes), asked.binary};
  }
  if (!asked.binary && !HasJsonForm(tensor.type)) {
    return Status::InvalidArgument("sending " + std::string(DataTypeName(tensor.type)) +
                                   " data via JSON is not supported. Please use the binary data "
                                   "format for output");
  }
  return Written{tensor, asked.binary};
}

Result<std::vector<Written>> Select(const V2Request& request, const ServiceInfo& info,
                                    const InferenceResult& result) {
  std::vector<Written> selected;
  for (const Tensor& tensor : result.outputs) {
    const V2Output all{tensor.name, request.binary_outputs, 0};
    const V2Output* asked = request.outputs.empty() ? &all : FindAsked(request, tensor.name);
    if (asked == nullptr) continue;
    auto written = Prepare(tensor, *asked, info);
    if (!written.ok()) return written.status();
    selected.push_back(*std::move(written));
  }
  if (selected.size() < request.outputs.size()) {
    return Status::Internal("model '" + info.name + "' did not give an output that it declares");
  }
  return selected;
}

void WriteHead(const V2Request& request, const InferenceResult& result, JsonWriter& json) {
  if (!request.id.empty()) json.Key("id").String(request.id);
  json.Key("model_name").String(result.model).Key("model_version").String(result.version);
  if (result.synthetic)
    json.Key("parameters").BeginObject().Key("synthetic").Bool(true).EndObject();
}

// All but the value of "data".
void WriteTensorHead(const Written& written, JsonWriter& json) {
  json.BeginObject().Key("name").String(written.tensor.name);
  json.Key("datatype").String(DataTypeName(written.tensor.type)).Key("shape").BeginArray();
  for (const std::int64_t dim : written.tensor.shape) json.Integer(dim);
  json.EndArray();
  if (!written.binary) {
    json.Key("data");
    return;
  }
  const auto bytes = static_cast<std::int64_t>(written.tensor.data.size());
  json.Key("parameters").BeginObject().Key("binary_data_size").Integer(bytes).EndObject();
}

// Of BYTES: about as much work as a number. An element takes four bytes at least.
constexpr std::size_t kBytesOfWork = 8;

}  // namespace

bool IsLongV2Answer(const V2Request& request, const InferenceResult& result) {
  std::size_t numbers = 0;
  for (const Tensor& tensor : result.outputs) {
    const V2Output* asked = FindAsked(request, tensor.name);
    const bool binary = asked == nullptr ? request.binary_outputs : asked->binary;
    const std::size_t size = ElementSize(tensor.type);
    if (!binary) numbers += tensor.data.size() / (size == 0 ? kBytesOfWork : size);
  }
  return numbers > kMaxQuickNumbers;
}

Result<Response> WriteV2Answer(const V2Request& request, const ServiceInfo& info,
                               const InferenceResult& result) {
  const auto selected = Select(request, info, result);
  if (!selected.ok()) return selected.status();
  Response response;
  std::string& body = response.body;
  JsonWriter json(body);
  json.BeginObject();
  WriteHead(request, result, json);
  json.Key("outputs").BeginArray();
  std::size_t binary_bytes = 0;
  bool binary = false;
  for (const Written& written : *selected) {
    WriteTensorHead(written, json);
    if (written.binary) {
      binary = true;
      binary_bytes += written.tensor.data.size();
    } else {
      Status status = WriteTensorJson(written.tensor, body);
      if (!status.ok()) return status;
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  if (!binary) return response;
  response.content_type = kBinaryType;
  response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(body.size()));
  body.reserve(body.size() + binary_bytes);
  for (const Written& written : *selected) {
    if (written.binary) body.append(written.tensor.data.view());
  }
  return response;
}

}  // namespace xcloud
