#include "http/v2/json_document.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>

namespace xcloud {
namespace {

// Numbers are read from their text, with from_chars: RapidJSON's own are either not exact or slow.
constexpr unsigned kParseFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
    rapidjson::kParseNanAndInfFlag | rapidjson::kParseNumbersAsStringsFlag;

static_assert(kMaxJsonDepth == 100, "kTooDeepJson names it");

// RapidJSON's events as ours, with the depth counted.
class Adapter {
 public:
  Adapter(const rapidjson::MemoryStream& stream, JsonSink& sink) : stream_(stream), sink_(sink) {}

  bool Null() { return sink_.Null(); }
  bool Bool(bool value) { return sink_.Bool(value); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    return sink_.Number({text, length});
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return sink_.String({text, length});
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    return sink_.Key({text, length}, stream_.Tell());
  }
  bool StartObject() { return Deeper() && sink_.BeginObject(); }
  bool StartArray() { return Deeper() && sink_.BeginArray(); }
  bool EndObject(rapidjson::SizeType) {
    --depth_;
    return sink_.EndObject();
  }
  bool EndArray(rapidjson::SizeType) {
    --depth_;
    return sink_.EndArray();
  }
  // Never called: numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  bool too_deep() const { return depth_ > kMaxJsonDepth; }

 private:
  bool Deeper() {
    ++depth_;
    return !too_deep();
  }

  const rapidjson::MemoryStream& stream_;
  JsonSink& sink_;
  int depth_ = 0;
};

Status Malformed(const std::string& why, std::size_t offset) {
  return Status::InvalidArgument("failed to parse the request JSON buffer: " + why + " at " +
                                 std::to_string(offset));
}

template <unsigned kFlags>
Status Walk(std::string_view text, std::size_t offset, JsonSink& sink) {
  const std::string_view rest = text.substr(offset);
  rapidjson::MemoryStream stream(rest.data(), rest.size());
  rapidjson::Reader reader;
  Adapter adapter(stream, sink);
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, adapter);
  if (result.IsError()) {
    if (adapter.too_deep()) return Status::InvalidArgument(std::string(kTooDeepJson));
    if (result.Code() == rapidjson::kParseErrorTermination) return sink.error();
    return Malformed(rapidjson::GetParseError_En(result.Code()), offset + result.Offset());
  }
  // RapidJSON takes a NUL for the end of the text.
  if ((kFlags & rapidjson::kParseStopWhenDoneFlag) == 0 && stream.Tell() != rest.size()) {
    return Malformed("The document root must not be followed by other values.",
                     offset + stream.Tell());
  }
  return Status::Ok();
}

// Builds the tree. open_ holds the objects and arrays that are not yet closed; a value goes into
// the innermost.
class TreeBuilder final : public JsonSink {
 public:
  TreeBuilder(std::string_view text, bool leave_tensor_data)
      : text_(text), leave_tensor_data_(leave_tensor_data) {}

  bool Null() override { return Add(JsonValue()); }
  bool Bool(bool value) override { return Add(JsonValue(value)); }
  bool String(std::string_view text) override { return Add(JsonValue(std::string(text))); }
  bool Number(std::string_view text) override;
  bool BeginObject() override { return Open(JsonValue(JsonValue::Object())); }
  bool BeginArray() override { return Open(JsonValue(JsonValue::Array())); }
  bool EndObject() override { return Close(); }
  bool EndArray() override { return Close(); }
  bool Key(std::string_view name, std::size_t end) override;
  Status error() const override { return error_; }

  JsonValue Take() { return std::move(root_); }

 private:
  struct Level {
    JsonValue value;
    std::string key;  // of an object: of the member that comes next
  };

  // In inputs[i].data. `skipped_` counts the levels that are open within it.
  bool Skips() const { return skips_; }
  bool Skipped() {
    if (skipped_ == 0) skips_ = false;
    return true;
  }
  bool AtTensorData(std::string_view name) const;
  bool Count();
  bool Open(JsonValue value);
  bool Close();
  bool Add(JsonValue value);
  void Put(JsonValue value);

  const std::string_view text_;
  const bool leave_tensor_data_;
  JsonValue root_;
  std::vector<Level> open_;
  std::size_t values_ = 0;
  bool skips_ = false;
  int skipped_ = 0;
  Status error_;
};

bool TreeBuilder::Number(std::string_view text) {
  if (Skips()) return Skipped();
  std::int64_t whole = 0;
  switch (ReadJsonNumber(text, whole)) {
    case JsonNumber::kOk:
      return Add(JsonValue(whole));
    case JsonNumber::kOutOfRange: {
      std::uint64_t large = 0;
      if (ReadJsonNumber(text, large) == JsonNumber::kOk) return Add(JsonValue(large));
      break;
    }
    case JsonNumber::kNotInteger:
      break;
  }
  double real = 0;
  if (ReadJsonNumber(text, real) == JsonNumber::kOk) return Add(JsonValue(real));
  error_ = Status::InvalidArgument("the JSON number " + std::string(text.substr(0, 40)) +
                                   " is out of range");
  return false;
}

bool TreeBuilder::AtTensorData(std::string_view name) const {
  return leave_tensor_data_ && name == "data" && open_.size() == 3 && open_[0].key == "inputs" &&
         open_[1].value.As<JsonValue::Array>() != nullptr;
}

bool TreeBuilder::Key(std::string_view name, std::size_t end) {
  if (Skips()) return true;
  open_.back().key = name;
  if (!AtTensorData(name)) return true;
  if (!Count()) return false;
  // What comes is well-formed or fails later: blanks, the colon, the value.
  Put(JsonValue(JsonValue::Unread{std::min(text_.find(':', end), text_.size() - 1) + 1}));
  skips_ = true;
  skipped_ = 0;
  return true;
}

bool TreeBuilder::Count() {
  if (++values_ <= kMaxJsonValues) return true;
  error_ = Status::InvalidArgument("the JSON has more than " + std::to_string(kMaxJsonValues) +
                                   " values beside the tensors' data");
  return false;
}

bool TreeBuilder::Open(JsonValue value) {
  if (Skips()) {
    ++skipped_;
    return true;
  }
  if (!Count()) return false;
  open_.push_back({std::move(value), {}});
  return true;
}

bool TreeBuilder::Close() {
  if (Skips()) {
    --skipped_;
    return Skipped();
  }
  JsonValue value = std::move(open_.back().value);
  open_.pop_back();
  Put(std::move(value));
  return true;
}

bool TreeBuilder::Add(JsonValue value) {
  if (Skips()) return Skipped();
  if (!Count()) return false;
  Put(std::move(value));
  return true;
}

void TreeBuilder::Put(JsonValue value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return;
  }
  Level& level = open_.back();
  if (auto* array = level.value.As<JsonValue::Array>()) {
    array->push_back(std::move(value));
  } else {
    level.value.As<JsonValue::Object>()->emplace_back(std::move(level.key), std::move(value));
    level.key.clear();
  }
}

}  // namespace

const JsonValue* JsonValue::Find(std::string_view name) const {
  const auto* object = As<Object>();
  if (object == nullptr) return nullptr;
  for (const auto& [key, value] : *object) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool JsonValue::AsUnsigned(std::uint64_t& value) const {
  if (const auto* large = As<std::uint64_t>()) {
    value = *large;
    return true;
  }
  const auto* whole = As<std::int64_t>();
  if (whole == nullptr || *whole < 0) return false;
  value = static_cast<std::uint64_t>(*whole);
  return true;
}

Status WalkJson(std::string_view text, JsonSink& sink) {
  return Walk<kParseFlags>(text, 0, sink);
}

Status WalkJsonValue(std::string_view text, std::size_t offset, JsonSink& sink) {
  return Walk<kParseFlags | rapidjson::kParseStopWhenDoneFlag>(text, offset, sink);
}

Result<JsonValue> ParseJson(std::string_view text, bool leave_tensor_data) {
  TreeBuilder builder(text, leave_tensor_data);
  Status status = WalkJson(text, builder);
  if (!status.ok()) return status;
  return builder.Take();
}

}  // namespace xcloud
