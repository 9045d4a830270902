#include "http/openapi/component_writer.h"

#include <string>

#include "http/openapi/components.h"

namespace xcloud {
namespace {

void WriteNamed(JsonWriter& json, std::string_view kind, std::span<const Component> components) {
  json.Key(kind).BeginObject();
  for (const Component& component : components) json.Key(component.name).Raw(component.json);
  json.EndObject();
}

void WriteSchema(JsonWriter& json, std::string_view type, std::string_view schemas) {
  const std::vector<std::string_view> names = SplitWords(schemas, '|');
  if (names.size() == 1) return WriteRef(json, "schemas", names.front());
  json.BeginObject();
  if (names.empty()) {
    json.Key("type").String("string");
    if (!type.starts_with("text/")) json.Key("format").String("binary");
  } else {
    json.Key("anyOf").BeginArray();
    for (const std::string_view name : names) WriteRef(json, "schemas", name);
    json.EndArray();
  }
  json.EndObject();
}

void WriteContent(JsonWriter& json, std::string_view content) {
  json.Key("content").BeginObject();
  for (const std::string_view form : SplitWords(content)) {
    const std::size_t equals = form.find('=');
    const std::string_view type = form.substr(0, equals);
    json.Key(type).BeginObject().Key("schema");
    WriteSchema(json, type, equals == form.npos ? std::string_view() : form.substr(equals + 1));
    json.EndObject();
  }
  json.EndObject();
}

}  // namespace

void WriteRef(JsonWriter& json, std::string_view kind, std::string_view name) {
  const std::string target = "#/components/" + std::string(kind) + "/" + std::string(name);
  json.BeginObject().Key("$ref").String(target).EndObject();
}

void WriteHeaders(JsonWriter& json, std::string_view headers) {
  json.Key("headers").BeginObject();
  for (const std::string_view list : {std::string_view("X-Request-Id traceresponse"), headers}) {
    for (const std::string_view name : SplitWords(list)) {
      json.Key(name);
      WriteRef(json, "headers", name);
    }
  }
  json.EndObject();
}

void WriteComponents(JsonWriter& json) {
  json.Key("components").BeginObject().Key("schemas").BeginObject();
  for (const auto& list : {OwnSchemas(), ProtocolSchemas()}) {
    for (const Component& schema : list) json.Key(schema.name).Raw(schema.json);
  }
  json.EndObject();
  WriteNamed(json, "parameters", Parameters());
  WriteNamed(json, "headers", Headers());
  json.Key("requestBodies").BeginObject();
  for (const BodyComponent& body : RequestBodies()) {
    json.Key(body.name).BeginObject().Key("required").Bool(body.required);
    WriteContent(json, body.content);
    json.EndObject();
  }
  json.EndObject().Key("responses").BeginObject();
  for (const ResponseComponent& response : Responses()) {
    json.Key(response.name).BeginObject().Key("description").String(response.description);
    WriteHeaders(json, response.headers);
    if (!response.content.empty()) WriteContent(json, response.content);
    json.EndObject();
  }
  json.EndObject().EndObject();
}

std::vector<std::string_view> SplitWords(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) words.push_back(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return words;
}

}  // namespace xcloud
