// JSON schemas of what XCloud's own routes say and read.
#include "http/openapi/components.h"

namespace xcloud {
namespace {

constexpr Component kSchemas[] = {
    {"Answer", R"({
      "type": "object",
      "description": "A service with an answer of its own may have other keys, and codes.",
      "required": ["code", "msg", "elapse"],
      "properties": {
        "code": {"type": "integer", "minimum": 0},
        "msg": {"type": "string"},
        "data": {"type": ["array", "object"]},
        "elapse": {"type": "number", "minimum": 0, "description": "Seconds, the whole request."},
        "synthetic": {"const": true,
          "description": "Made by the null backend: no answer about the photo."},
        "explain": {"$ref": "#/components/schemas/Explain"}
      }
    })"},
    {"Explain", R"({
      "type": "object",
      "description": "Where the time went, and who answered.",
      "required": ["model", "version", "lane", "batch", "decode_ms", "queue_ms", "staging_ms",
        "infer_ms", "total_ms"],
      "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "lane": {"type": "string"},
        "batch": {"type": "integer", "minimum": 0, "description": "Photos that ran together."},
        "decode_ms": {"type": "number", "minimum": 0},
        "queue_ms": {"type": "number", "minimum": 0},
        "staging_ms": {"type": "number", "minimum": 0},
        "infer_ms": {"type": "number", "minimum": 0},
        "total_ms": {"type": "number", "minimum": 0}
      }
    })"},
    {"Error", R"({
      "type": "object",
      "required": ["code", "msg", "data", "elapse"],
      "properties": {
        "code": {"type": "integer",
          "description": "1 missing or bad photo, 2 wrong method, 3 none found; else the status."},
        "msg": {"type": "string", "description": "What is wrong, in words."},
        "data": {"type": "null"},
        "elapse": {"type": "number", "minimum": 0, "description": "Seconds."}
      }
    })"},
    {"Priority", R"({"type": "string", "enum": ["high", "normal", "low"]})"},
    {"ServiceState", R"({
      "type": "string", "enum": ["loading", "ready", "no_weights", "unloaded", "failed"]})"},
    {"Service", R"({
      "type": "object",
      "required": ["name", "route", "title", "description", "source", "version", "versions",
        "backend",
        "state", "reason", "label_count", "max_batch", "latency_goal_ms", "priority", "answer",
        "imgurl", "internal", "gallery", "rows", "synthetic"],
      "properties": {
        "name": {"type": "string"},
        "route": {"type": "string", "description": "Where to ask: /cv/NAME, /dm/NAME."},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "source": {"type": "string", "description": "Where the weights come from; licence."},
        "version": {"type": "string",
          "description": "What a request gets that names none; empty while there is none."},
        "versions": {"type": "array", "items": {"$ref": "#/components/schemas/VersionState"}},
        "backend": {"type": "string"},
        "state": {"$ref": "#/components/schemas/ServiceState"},
        "reason": {"type": "string", "description": "Why it is not ready."},
        "label_count": {"type": "integer", "minimum": 0},
        "max_batch": {"type": "integer", "minimum": 1},
        "latency_goal_ms": {"type": "number", "minimum": 0, "description": "0 = none."},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "answer": {"$ref": "#/components/schemas/AnswerForm"},
        "imgurl": {"type": "boolean", "description": "Whether it takes photos by URL (imgurl)."},
        "internal": {"type": "boolean", "description": "A stage of other services."},
        "gallery": {"type": "boolean", "description": "Keeps a gallery to search in."},
        "rows": {"type": "boolean", "description": "Answers about rows of data, by their id."},
        "synthetic": {"type": "boolean"}
      }
    })"},
    {"RowId", R"({
      "type": "object", "properties": {"id": {"type": ["string", "integer"], "maxLength": 256}}
    })"},
    {"VersionState", R"({
      "type": "object",
      "required": ["version", "state", "reason", "labels"],
      "properties": {
        "version": {"type": "string"},
        "state": {"$ref": "#/components/schemas/ServiceState"},
        "reason": {"type": "string",
          "description": "Why it is not ready; of one that is, why its reload failed."},
        "labels": {"type": "array", "items": {"type": "string"},
          "description": "Names that stand for it wherever a version is named."}
      }
    })"},
    {"AnswerForm", R"({
      "type": "object",
      "description": "How this service writes an answer.",
      "required": ["label_key", "index_key", "probability_key", "decimals", "top_k", "threshold"],
      "properties": {
        "label_key": {"type": "string"},
        "index_key": {"type": "string", "description": "Empty = not written."},
        "probability_key": {"type": "string"},
        "decimals": {"type": "integer"},
        "top_k": {"type": "integer"},
        "threshold": {"type": "number"}
      }
    })"},
    {"Services", R"({
      "type": "array", "items": {"$ref": "#/components/schemas/Service"}})"},
    {"DeviceState", R"({"type": "string", "enum": ["ready", "quarantined", "probing"]})"},
    {"Device", R"({
      "type": "object",
      "required": ["name", "state", "reason", "lanes", "busy", "faults"],
      "properties": {
        "name": {"type": "string"},
        "state": {"$ref": "#/components/schemas/DeviceState"},
        "reason": {"type": "string"},
        "lanes": {"type": "integer", "minimum": 0},
        "busy": {"type": "integer", "minimum": 0, "description": "Lanes that run a batch."},
        "faults": {"type": "integer", "minimum": 0}
      }
    })"},
    {"Devices", R"({
      "type": "array", "items": {"$ref": "#/components/schemas/Device"}})"},
    {"Live", R"({
      "type": "object", "required": ["live"], "properties": {"live": {"const": true}}})"},
    {"Readiness", R"({
      "type": "object",
      "required": ["ready", "reason", "devices"],
      "properties": {
        "ready": {"type": "boolean"},
        "reason": {"type": "string", "description": "Why not; empty when ready."},
        "devices": {"type": "array", "items": {
          "type": "object",
          "required": ["name", "state"],
          "properties": {
            "name": {"type": "string"},
            "state": {"$ref": "#/components/schemas/DeviceState"}
          }
        }}
      }
    })"},
    {"BatchingVersion", R"({
      "type": "object",
      "required": ["version", "since", "max_batch", "queue_capacity", "max_queue_delay_ms",
        "latency_goal_ms", "defer", "priority", "patience_ms"],
      "properties": {
        "version": {"type": "integer", "minimum": 0},
        "since": {"type": "string", "format": "date-time"},
        "max_batch": {"type": "integer", "minimum": 0},
        "queue_capacity": {"type": "integer", "minimum": 0},
        "max_queue_delay_ms": {"type": "number", "minimum": 0},
        "latency_goal_ms": {"type": "number", "minimum": 0},
        "defer": {"type": "boolean"},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "patience_ms": {"type": "number", "minimum": 0}
      }
    })"},
    {"Batching", R"({
      "allOf": [{"$ref": "#/components/schemas/BatchingVersion"}],
      "type": "object",
      "required": ["name", "max_batch_limit", "history"],
      "properties": {
        "name": {"type": "string"},
        "max_batch_limit": {"type": "integer", "minimum": 1},
        "history": {"type": "array", "items": {"$ref": "#/components/schemas/BatchingVersion"}}
      }
    })"},
    {"BatchingPatch", R"({
      "type": "object",
      "description": "What is left out stays. revert_to stands alone, but for version.",
      "additionalProperties": false,
      "properties": {
        "max_batch": {"type": "integer", "minimum": 1},
        "queue_capacity": {"type": "integer", "minimum": 1},
        "max_queue_delay_ms": {"type": "number", "minimum": 0},
        "latency_goal_ms": {"type": "number", "minimum": 0},
        "defer": {"type": "boolean"},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "patience_ms": {"type": "number", "minimum": 0},
        "revert_to": {"type": "integer", "minimum": 1,
          "description": "Take the values of that version again."},
        "version": {"type": "integer", "minimum": 1,
          "description": "The version that you have read; 409 when another one is current."}
      }
    })"},
    {"Begun", R"({
      "type": "object",
      "required": ["name", "state"],
      "properties": {"name": {"type": "string"}, "state": {"type": "string"}}
    })"},
    {"Document", R"({
      "type": "object",
      "required": ["openapi", "info", "paths"],
      "properties": {"openapi": {"const": "3.1.0"}}
    })"},
    {"PhotoForm", R"({
      "type": "object",
      "anyOf": [{"required": ["image"]}, {"required": ["imgraw"]}, {"required": ["imgurl"]}],
      "properties": {
        "image": {"type": "string", "format": "binary"},
        "imgraw": {"type": "string", "format": "binary", "description": "Another name of image."},
        "imgurl": {"type": "string", "format": "uri",
          "description": "Fetched by the server, from hosts that it is told to allow."},
        "k": {"type": "integer", "minimum": 1, "maximum": 1000},
        "model_version": {"type": "string", "maxLength": 64},
        "deadline_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
        "timeout": {"type": "integer", "minimum": 0},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "explain": {"type": "string", "enum": ["0", "1", "true", "false"]}
      }
    })"},
    {"PhotoFields", R"({
      "type": "object",
      "description": "The photo as base64, or where it is.",
      "anyOf": [{"required": ["image"]}, {"required": ["imgraw"]}, {"required": ["imgurl"]}],
      "properties": {
        "image": {"type": "string", "contentEncoding": "base64"},
        "imgraw": {"type": "string", "contentEncoding": "base64"},
        "imgurl": {"type": "string", "format": "uri",
          "description": "Fetched by the server, from hosts that it is told to allow."},
        "k": {"type": "integer", "minimum": 1, "maximum": 1000},
        "model_version": {"type": "string", "maxLength": 64},
        "deadline_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
        "timeout": {"type": "integer", "minimum": 0},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "explain": {"type": "string", "enum": ["0", "1", "true", "false"]}
      }
    })"},
};

}  // namespace

std::span<const Component> OwnSchemas() {
  return kSchemas;
}

}  // namespace xcloud
