// JSON schemas of the Open Inference Protocol, Triton's extensions and TorchServe, as far as we
// speak them.
#include "http/openapi/components.h"

namespace xcloud {
namespace {

constexpr Component kSchemas[] = {
    {"ProtocolError", R"({
      "type": "object",
      "required": ["error"],
      "properties": {"error": {"type": "string"}, "trace_id": {"type": "string"}}
    })"},
    {"TorchServeError", R"({
      "type": "object",
      "required": ["code", "type", "message"],
      "properties": {
        "code": {"type": "integer"},
        "type": {"type": "string"},
        "message": {"type": "string"},
        "trace_id": {"type": "string"}
      }
    })"},
    {"ServerMetadata", R"({
      "type": "object",
      "required": ["name", "version", "extensions"],
      "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "extensions": {"type": "array", "items": {"type": "string"}}
      }
    })"},
    {"Health", R"({
      "type": "object",
      "properties": {
        "live": {"type": "boolean"},
        "ready": {"type": "boolean"},
        "name": {"type": "string"},
        "error": {"type": "string", "description": "Why it is not ready."}
      }
    })"},
    {"TensorMetadata", R"({
      "type": "object",
      "required": ["name", "datatype", "shape"],
      "properties": {
        "name": {"type": "string"},
        "datatype": {"$ref": "#/components/schemas/Datatype"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}}
      }
    })"},
    {"Datatype", R"({
      "type": "string",
      "enum": ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
        "FP16", "FP32", "FP64", "BF16", "BYTES"]
    })"},
    {"ModelMetadata", R"({
      "type": "object",
      "required": ["name", "versions", "platform", "inputs", "outputs"],
      "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}},
        "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}}
      }
    })"},
    {"ModelConfig", R"({
      "type": "object",
      "required": ["name", "platform", "max_batch_size", "input", "output"],
      "properties": {
        "name": {"type": "string"},
        "platform": {"type": "string"},
        "max_batch_size": {"type": "integer", "minimum": 0},
        "input": {"type": "array", "items": {"type": "object"}},
        "output": {"type": "array", "items": {"type": "object"}}
      }
    })"},
    {"ModelStatistics", R"({
      "type": "object",
      "required": ["model_stats"],
      "properties": {"model_stats": {"type": "array", "items": {
        "type": "object",
        "required": ["name", "version", "inference_count", "execution_count", "inference_stats"],
        "properties": {
          "name": {"type": "string"},
          "version": {"type": "string"},
          "inference_count": {"type": "integer", "minimum": 0},
          "execution_count": {"type": "integer", "minimum": 0},
          "inference_stats": {"type": "object"}
        }
      }}}
    })"},
    {"InferInput", R"({
      "type": "object",
      "required": ["name", "shape", "datatype"],
      "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"$ref": "#/components/schemas/Datatype"},
        "parameters": {"type": "object", "properties": {
          "binary_data_size": {"type": "integer", "minimum": 0}}},
        "data": {"type": "array", "description": "Flat or nested, row by row."}
      }
    })"},
    {"InferRequest", R"({
      "type": "object",
      "required": ["inputs"],
      "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object", "properties": {
          "timeout": {"type": "integer", "minimum": 0, "description": "Microseconds."},
          "priority": {"type": "integer", "minimum": 0, "description": "1 = highest, 0 = default."},
          "binary_data_output": {"type": "boolean"}}},
        "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/InferInput"}},
        "outputs": {"type": "array", "items": {
          "type": "object",
          "required": ["name"],
          "properties": {
            "name": {"type": "string"},
            "parameters": {"type": "object", "properties": {
              "classification": {"type": "integer", "minimum": 0},
              "binary_data": {"type": "boolean"}}}
          }
        }}
      }
    })"},
    {"InferAnswer", R"({
      "type": "object",
      "required": ["model_name", "model_version", "outputs"],
      "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": {
          "type": "object",
          "required": ["name", "shape", "datatype"],
          "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"$ref": "#/components/schemas/Datatype"},
            "parameters": {"type": "object"},
            "data": {"type": "array"}
          }
        }}
      }
    })"},
    {"RepositoryIndexRequest", R"({
      "type": "object",
      "properties": {"ready": {"type": "boolean", "description": "Only those that are ready."}}})"},
    {"RepositoryIndex", R"({
      "type": "array",
      "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
          "name": {"type": "string"},
          "version": {"type": "string"},
          "state": {"type": "string"},
          "reason": {"type": "string"},
          "labels": {"type": "array", "items": {"type": "string"}}
        }
      }
    })"},
    {"RepositoryChange", R"({
      "type": "object", "properties": {"parameters": {"type": "object"}}})"},
    {"Done", R"({"type": "object"})"},
    {"Logging", R"({
      "type": "object",
      "properties": {
        "log_file": {"type": "string"},
        "log_info": {"type": "boolean"},
        "log_warning": {"type": "boolean"},
        "log_error": {"type": "boolean"},
        "log_verbose_level": {"type": "integer", "minimum": 0},
        "log_format": {"type": "string"}
      }
    })"},
    {"Ping", R"({
      "type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}})"},
    {"PredictionForm", R"({
      "type": "object",
      "required": ["data"],
      "properties": {"data": {"type": "string", "format": "binary"}}
    })"},
    {"Prediction", R"({
      "type": "object",
      "description": "Labels and their probabilities.",
      "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}
    })"},
    {"TorchServeModels", R"({
      "type": "object",
      "required": ["models"],
      "properties": {"models": {"type": "array", "items": {
        "type": "object",
        "required": ["modelName"],
        "properties": {"modelName": {"type": "string"}, "modelUrl": {"type": "string"}}
      }}, "nextPageToken": {"type": "string"}}
    })"},
    {"TorchServeModel", R"({"type": "array", "items": {"type": "object"}})"},
};

}  // namespace

std::span<const Component> ProtocolSchemas() {
  return kSchemas;
}

}  // namespace xcloud
