#include "http/answer_value_json.h"

#include <cmath>

namespace xcloud {
namespace {

struct Writer {
  JsonWriter& json;

  void operator()(const AnswerValue::Null&) const { json.Null(); }
  void operator()(bool value) const { json.Bool(value); }
  void operator()(std::int64_t value) const { json.Integer(value); }
  void operator()(const AnswerValue::Number& number) const {
    if (std::isfinite(number.value)) {
      json.Fixed(number.value, number.decimals);
    } else {
      json.Null();
    }
  }
  void operator()(const std::string& text) const { json.String(text); }
  void operator()(const AnswerValue::Array& values) const {
    json.BeginArray();
    for (const AnswerValue& value : values) WriteValue(json, value);
    json.EndArray();
  }
  void operator()(const AnswerValue::Object& fields) const {
    json.BeginObject();
    for (const auto& [key, value] : fields) {
      json.Key(key);
      WriteValue(json, value);
    }
    json.EndObject();
  }
};

}  // namespace

// Recursion: the trees are made by services, a few levels deep, never by a caller.
void WriteValue(JsonWriter& json, const AnswerValue& value) {
  std::visit(Writer{json}, value.variant());
}

}  // namespace xcloud
