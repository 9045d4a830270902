#include "http/v2/model_json.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace xcloud {
namespace {

constexpr int kPriorityLevels = 3;

std::int64_t Whole(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}

std::int64_t Microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

void WriteNumbers(JsonWriter& json, const std::vector<std::int64_t>& numbers) {
  json.BeginArray();
  for (const std::int64_t number : numbers) json.Integer(number);
  json.EndArray();
}

void WriteSpecs(JsonWriter& json, const std::vector<TensorSpec>& specs) {
  json.BeginArray();
  for (const TensorSpec& spec : specs) {
    json.BeginObject().Key("name").String(spec.name);
    json.Key("datatype").String(DataTypeName(spec.type)).Key("shape");
    WriteNumbers(json, spec.dims);
    json.EndObject();
  }
  json.EndArray();
}

// Triton's configuration calls BYTES a string.
std::string ConfigTypeOf(DataType type) {
  if (type == DataType::kBytes) return "TYPE_STRING";
  return "TYPE_" + std::string(DataTypeName(type));
}

// The layout of an image tensor of one to four channels; Triton's word for any other is NONE.
std::string_view FormatOf(const TensorSpec& spec) {
  constexpr std::size_t kImageRank = 4;
  const auto channels = [](std::int64_t dim) { return dim == 1 || dim == 3 || dim == 4; };
  if (spec.dims.size() != kImageRank) return "FORMAT_NONE";
  if (channels(spec.dims[3])) return "FORMAT_NHWC";
  return channels(spec.dims[1]) ? "FORMAT_NCHW" : "FORMAT_NONE";
}

// Without the batch, which max_batch_size implies.
void WriteDims(JsonWriter& json, const TensorSpec& spec) {
  json.Key("dims");
  const std::ptrdiff_t batch = spec.dims.empty() ? 0 : 1;
  WriteNumbers(json, {spec.dims.begin() + batch, spec.dims.end()});
}

void WriteConfigInputs(JsonWriter& json, const ServiceInfo& info) {
  json.Key("input").BeginArray();
  for (const TensorSpec& spec : info.inputs) {
    json.BeginObject().Key("name").String(spec.name);
    json.Key("data_type").String(ConfigTypeOf(spec.type));
    json.Key("format").String(FormatOf(spec));
    WriteDims(json, spec);
    json.Key("is_shape_tensor").Bool(false).Key("optional").Bool(false).EndObject();
  }
  json.EndArray();
}

void WriteConfigOutputs(JsonWriter& json, const ServiceInfo& info) {
  json.Key("output").BeginArray();
  for (const TensorSpec& spec : info.outputs) {
    json.BeginObject().Key("name").String(spec.name);
    json.Key("data_type").String(ConfigTypeOf(spec.type));
    WriteDims(json, spec);
    json.Key("label_filename").String(info.labels == nullptr ? "" : "labels.txt");
    json.Key("is_shape_tensor").Bool(false).EndObject();
  }
  json.EndArray();
}

void WriteDynamicBatching(JsonWriter& json, const BatchLimits& limits) {
  json.Key("dynamic_batching").BeginObject();
  // The size at which the queue delay is cut short.
  json.Key("preferred_batch_size").BeginArray().Integer(Whole(limits.max_batch)).EndArray();
  json.Key("max_queue_delay_microseconds").Integer(Microseconds(limits.max_queue_delay));
  json.Key("preserve_ordering").Bool(false).Key("priority_levels").Integer(kPriorityLevels);
  json.Key("default_priority_level").Integer(static_cast<std::int64_t>(limits.priority));
  json.Key("default_queue_policy").BeginObject().Key("timeout_action").String("REJECT");
  json.Key("default_timeout_microseconds").Integer(Microseconds(limits.latency_goal));
  json.Key("allow_timeout_override").Bool(true);
  json.Key("max_queue_size").Integer(Whole(limits.queue_capacity)).EndObject();
  json.Key("priority_queue_policy").BeginObject().EndObject().EndObject();
}

// In Triton's words; "listed" is its "specific".
void WriteVersionPolicy(JsonWriter& json, const ServiceInfo& info) {
  json.Key("version_policy").BeginObject();
  if (info.version_policy == "all") {
    json.Key("all").BeginObject();
  } else if (info.version_policy == "listed") {
    json.Key("specific").BeginObject().Key("versions").BeginArray();
    for (const VersionState& one : info.versions) {
      json.Integer(std::strtoll(one.version.c_str(), nullptr, 10));
    }
    json.EndArray();
  } else {
    json.Key("latest").BeginObject().Key("num_versions").Integer(Whole(info.version_count));
  }
  json.EndObject().EndObject();
}

void WriteDuration(JsonWriter& json, std::string_view key, const StatisticDuration& duration) {
  json.Key(key).BeginObject().Key("count").Integer(Whole(duration.count));
  json.Key("ns").Integer(Whole(duration.ns)).EndObject();
}

void WriteRequestTimes(JsonWriter& json, const ModelStatistics& statistics) {
  json.Key("inference_stats").BeginObject();
  WriteDuration(json, "success", statistics.success);
  WriteDuration(json, "fail", statistics.fail);
  WriteDuration(json, "queue", statistics.queue);
  WriteDuration(json, "compute_input", statistics.compute_input);
  WriteDuration(json, "compute_infer", statistics.compute_infer);
  WriteDuration(json, "compute_output", statistics.compute_output);
  // There is no cache; perf_analyzer needs the keys all the same.
  WriteDuration(json, "cache_hit", {});
  WriteDuration(json, "cache_miss", {});
  json.EndObject();
}

}  // namespace

std::string WriteModelMetadata(const ServiceInfo& info) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("name").String(info.name).Key("versions").BeginArray();
  for (const VersionState& one : VersionsOf(info)) {
    if (one.state == ServiceState::kReady) json.String(one.version);
  }
  json.EndArray().Key("platform").String(info.platform).Key("inputs");
  WriteSpecs(json, info.inputs);
  json.Key("outputs");
  WriteSpecs(json, info.outputs);
  json.EndObject();
  return out;
}

std::string WriteModelConfig(const ServiceInfo& info, const BatchingView* batching) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("name").String(info.name).Key("platform").String(info.platform);
  json.Key("backend").String(info.backend);
  WriteVersionPolicy(json, info);
  json.Key("max_batch_size").Integer(Whole(info.max_batch));
  WriteConfigInputs(json, info);
  WriteConfigOutputs(json, info);
  if (batching != nullptr) WriteDynamicBatching(json, batching->current.limits);
  json.Key("parameters").BeginObject();
  if (info.synthetic) {
    json.Key("synthetic").BeginObject().Key("string_value").String("true").EndObject();
  }
  json.EndObject().Key("model_transaction_policy").BeginObject();
  json.Key("decoupled").Bool(false).EndObject();
  json.Key("response_cache").BeginObject().Key("enable").Bool(false).EndObject().EndObject();
  return out;
}

void WriteModelStatistics(JsonWriter& json, const ModelStatistics& statistics) {
  json.BeginObject().Key("name").String(statistics.name);
  json.Key("version").String(statistics.version);
  json.Key("last_inference").Integer(statistics.last_inference_ms);
  json.Key("inference_count").Integer(Whole(statistics.inference_count));
  json.Key("execution_count").Integer(Whole(statistics.execution_count));
  WriteRequestTimes(json, statistics);
  json.Key("batch_stats").BeginArray();
  for (const BatchStatistics& batch : statistics.batches) {
    json.BeginObject().Key("batch_size").Integer(Whole(batch.batch_size));
    WriteDuration(json, "compute_input", batch.compute_input);
    WriteDuration(json, "compute_infer", batch.compute_infer);
    WriteDuration(json, "compute_output", batch.compute_output);
    json.EndObject();
  }
  json.EndArray().Key("response_stats").BeginObject().EndObject();
  json.Key("memory_usage").BeginArray().EndArray().EndObject();
}

}  // namespace xcloud
