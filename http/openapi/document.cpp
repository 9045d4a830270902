#include "http/openapi/document.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <utility>

#include "http/error_form.h"
#include "http/json_writer.h"
#include "http/openapi/component_writer.h"
#include "http/openapi/components.h"
#include "http/openapi/operation.h"

namespace xcloud {
namespace {

constexpr std::string_view kServiceSegment = "{service}";
// Routes that a document writes once for each service of theirs.
constexpr std::string_view kServicePaths[] = {"/cv/{service}", "/dm/{service}"};

// One operation of one path: `service` where the path is a service's own.
struct Entry {
  const Route* route;
  const Operation* operation;
  ServiceInfoPtr service;
};

struct PathItem {
  std::string path;
  std::vector<Entry> entries;
};

void WriteStrings(JsonWriter& json, const std::vector<std::string>& texts) {
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

// "POST /cv/{service}" of "imagenet": "post_cv_imagenet".
std::string OperationId(std::string_view method, std::string_view path) {
  std::string id(method);
  for (const char c : path) {
    // A model's name has - and _ as well: they tell two models apart.
    const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    if (word) {
      id += c;
    } else if (id.back() != '_') {
      id += '_';
    }
  }
  while (id.back() == '_') id.pop_back();
  return id;
}

std::string LowerMethod(std::string_view route_name) {
  std::string method(route_name.substr(0, route_name.find(' ')));
  for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return method;
}

class Writer {
 public:
  explicit Writer(const OpenApiSource& source) : source_(source), json_(out_) {}
  std::string Write();

 private:
  std::vector<PathItem> CollectPaths() const;
  void WriteInfo();
  void WritePath(const PathItem& item);
  void WriteOperation(const PathItem& item, const Entry& entry);
  void WriteWords(const Entry& entry);
  void WriteParameters(const PathItem& item, const Operation& operation);
  void WriteSegment(std::string_view path, std::string_view segment);
  std::vector<std::string> NamesOf(std::string_view path, std::string_view segment) const;
  void WriteResponses(const Entry& entry);
  void WriteRefusal(const Entry& entry, std::string_view status);
  void WriteServiceAnswer(const ServiceInfo& info);
  void WriteItem(const AnswerForm& form);

  const OpenApiSource& source_;
  std::string out_;
  JsonWriter json_;
};

std::string Writer::Write() {
  out_.reserve(96 * 1024);
  json_.BeginObject().Key("openapi").String("3.1.0");
  WriteInfo();
  json_.Key("servers").BeginArray().BeginObject().Key("url").String("/").EndObject().EndArray();
  json_.Key("tags").BeginArray();
  for (const Tag& tag : Tags()) {
    json_.BeginObject().Key("name").String(tag.name);
    json_.Key("description").String(tag.description).EndObject();
  }
  json_.EndArray().Key("paths").BeginObject();
  for (const PathItem& item : CollectPaths()) WritePath(item);
  json_.EndObject();
  WriteComponents(json_);
  json_.EndObject();
  return std::move(out_);
}

void Writer::WriteInfo() {
  json_.Key("info").BeginObject().Key("title").String("XCloud");
  json_.Key("version").String(XCLOUD_VERSION);
  json_.Key("summary").String("Trained vision models as web APIs: send a photo, get labels.");
  json_.Key("description")
      .String("Made from what this server has loaded now. HEAD goes where GET goes.")
      .EndObject();
}

PathItem& ItemOf(std::vector<PathItem>& items, const std::string& path) {
  for (PathItem& item : items) {
    if (item.path == path) return item;
  }
  items.push_back({path, {}});
  return items.back();
}

std::vector<PathItem> Writer::CollectPaths() const {
  std::vector<PathItem> items;
  for (const Route& route : source_.routes) {
    const Operation* operation = FindOperation(route.name);
    if (operation == nullptr || !route.name.ends_with(route.pattern)) continue;
    const bool of_service = std::find(std::begin(kServicePaths), std::end(kServicePaths),
                                      route.pattern) != std::end(kServicePaths);
    if (!of_service) {
      ItemOf(items, std::string(route.pattern)).entries.push_back({&route, operation, nullptr});
      continue;
    }
    const std::string_view group = route.pattern.substr(0, route.pattern.find('{'));
    for (const ServiceInfoPtr& info : source_.services) {
      if (!info->route.starts_with(group)) continue;
      ItemOf(items, info->route).entries.push_back({&route, operation, info});
    }
  }
  return items;
}

void Writer::WritePath(const PathItem& item) {
  json_.Key(item.path).BeginObject();
  for (const Entry& entry : item.entries) {
    json_.Key(LowerMethod(entry.route->name));
    WriteOperation(item, entry);
  }
  json_.EndObject();
}

void Writer::WriteOperation(const PathItem& item, const Entry& entry) {
  const Operation& operation = *entry.operation;
  json_.BeginObject().Key("tags").BeginArray().String(operation.tag).EndArray();
  WriteWords(entry);
  json_.Key("operationId").String(OperationId(LowerMethod(entry.route->name), item.path));
  WriteParameters(item, operation);
  if (!operation.body.empty()) {
    json_.Key("requestBody");
    WriteRef(json_, "requestBodies", operation.body);
  }
  WriteResponses(entry);
  if (entry.service != nullptr && entry.service->state != ServiceState::kReady) {
    json_.Key("x-state").String(ServiceStateName(entry.service->state));
    json_.Key("x-reason").String(entry.service->reason);
  }
  json_.EndObject();
}

void Writer::WriteWords(const Entry& entry) {
  std::string summary(entry.operation->summary);
  std::string description(entry.operation->detail);
  if (const ServiceInfo* info = entry.service.get(); info != nullptr) {
    summary = (info->title.empty() ? info->name : info->title) + ": " + summary;
    if (!info->description.empty() && entry.operation->answer == "Answer") {
      description = info->description + "\n\n" + description;
    }
  }
  json_.Key("summary").String(summary);
  if (!description.empty()) json_.Key("description").String(description);
}

void Writer::WriteParameters(const PathItem& item, const Operation& operation) {
  json_.Key("parameters").BeginArray();
  for (std::string_view rest = item.path; rest.find('{') != rest.npos;) {
    const std::size_t begin = rest.find('{');
    const std::size_t end = rest.find('}', begin);
    WriteSegment(item.path, rest.substr(begin, end + 1 - begin));
    rest = rest.substr(end + 1);
  }
  for (const std::string_view name : SplitWords(operation.parameters)) {
    WriteRef(json_, "parameters", name);
  }
  json_.EndArray();
}

void Writer::WriteSegment(std::string_view path, std::string_view segment) {
  json_.BeginObject().Key("name").String(segment.substr(1, segment.size() - 2));
  json_.Key("in").String("path").Key("required").Bool(true);
  json_.Key("schema").BeginObject().Key("type").String("string");
  const std::vector<std::string> names = NamesOf(path, segment);
  if (!names.empty()) {
    json_.Key("enum");
    WriteStrings(json_, names);
  } else {
    json_.Key("minLength").Integer(1);
  }
  json_.EndObject().EndObject();
}

// Empty = anything may stand there.
std::vector<std::string> Writer::NamesOf(std::string_view path, std::string_view segment) const {
  std::vector<std::string> names;
  if (path.starts_with("/api/devices/")) {
    for (const DeviceHealth& device : source_.devices) names.push_back(device.name);
  } else if (path.starts_with("/assets/")) {
    for (const WebAsset& asset : source_.assets) names.emplace_back(asset.path);
  } else if (segment == kServiceSegment || segment == "{model}" || segment == "{name}") {
    for (const ServiceInfoPtr& info : source_.services) names.push_back(info->name);
  }
  return names;
}

void Writer::WriteResponses(const Entry& entry) {
  const Operation& operation = *entry.operation;
  const std::string success = std::to_string(operation.success);
  json_.Key("responses").BeginObject().Key(success);
  const bool of_labels = entry.service != nullptr && entry.service->label_count > 0;
  if (of_labels && operation.answer == "Answer") {
    WriteServiceAnswer(*entry.service);
  } else {
    WriteRef(json_, "responses", operation.answer);
  }
  for (const std::string_view list : {operation.refusals, kEveryRefusal}) {
    for (const std::string_view status : SplitWords(list)) {
      if (status != success) WriteRefusal(entry, status);
    }
  }
  json_.EndObject();
}

std::string_view RefusalForm(const Entry& entry, std::string_view status) {
  if (status == "304") return "NotModified";
  if (status == "503" && !entry.operation->not_ready.empty()) return entry.operation->not_ready;
  switch (ErrorFormOf(entry.route->pattern)) {
    case ErrorForm::kProtocol:
      return "ProtocolError";
    case ErrorForm::kTorchServe:
      return "TorchServeError";
    case ErrorForm::kXCloud:
      break;
  }
  // The page of an unknown service is for people as well.
  return status == "404" && entry.operation->answer == "Page" ? "PageOrError" : "Error";
}

void Writer::WriteRefusal(const Entry& entry, std::string_view status) {
  int number = 0;
  std::from_chars(status.data(), status.data() + status.size(), number);
  json_.Key(status).BeginObject();
  json_.Key("$ref").String("#/components/responses/" + std::string(RefusalForm(entry, status)));
  json_.Key("description").String(RefusalDescription(number)).EndObject();
}

// As the response Answer, with the keys of this service's items.
void Writer::WriteServiceAnswer(const ServiceInfo& info) {
  json_.BeginObject().Key("description").String("What is in the photo.");
  WriteHeaders(json_, "Server-Timing");
  json_.Key("content").BeginObject().Key("application/json").BeginObject();
  json_.Key("schema").BeginObject().Key("allOf").BeginArray();
  WriteRef(json_, "schemas", "Answer");
  json_.BeginObject().Key("properties").BeginObject().Key("data").BeginObject();
  json_.Key("items");
  WriteItem(info.answer);
  json_.EndObject().EndObject().EndObject().EndArray();
  json_.EndObject().EndObject().EndObject().EndObject();
}

void Writer::WriteItem(const AnswerForm& form) {
  std::vector<std::string> keys = {form.label_key};
  if (!form.index_key.empty()) keys.push_back(form.index_key);
  keys.push_back(form.probability_key);
  json_.BeginObject().Key("type").String("object").Key("required");
  WriteStrings(json_, keys);
  json_.Key("additionalProperties").Bool(false).Key("properties").BeginObject();
  json_.Key(form.label_key).BeginObject().Key("type").String("string").EndObject();
  if (!form.index_key.empty()) {
    json_.Key(form.index_key).BeginObject().Key("type").String("integer");
    json_.Key("minimum").Integer(-1).Key("description");
    const std::string first = std::to_string(form.index_base);
    json_.String("Row of the label, from " + first + "; -1 where none is likely enough.");
    json_.EndObject();
  }
  json_.Key(form.probability_key).BeginObject().Key("type").String("number");
  json_.Key("minimum").Integer(0).Key("maximum").Integer(1).EndObject();
  json_.EndObject().EndObject();
}

}  // namespace

std::string WriteOpenApi(const OpenApiSource& source) {
  return Writer(source).Write();
}

}  // namespace xcloud
