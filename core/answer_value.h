// AnswerValue: the answer of a service that does not simply name labels: a small tree of values,
// made by models and written as JSON by http. An object keeps the order in which it was filled,
// because clients of the first XCloud know its keys in that order.
//
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xcloud {

class AnswerValue {
 public:
  struct Null {};
  struct Number {
    double value = 0;  // finite
    int decimals = 4;  // digits after the point that are written
  };
  using Array = std::vector<AnswerValue>;
  using Object = std::vector<std::pair<std::string, AnswerValue>>;
  using Variant = std::variant<Null, bool, std::int64_t, Number, std::string, Array, Object>;

  AnswerValue() = default;
  static AnswerValue Bool(bool value) { return AnswerValue(Variant(value)); }
  static AnswerValue Integer(std::int64_t value) { return AnswerValue(Variant(value)); }
  static AnswerValue Of(double value, int decimals) {
    return AnswerValue(Variant(Number{value, decimals}));
  }
  static AnswerValue Text(std::string value) { return AnswerValue(Variant(std::move(value))); }
  static AnswerValue List(Array values) { return AnswerValue(Variant(std::move(values))); }
  static AnswerValue Fields(Object fields) { return AnswerValue(Variant(std::move(fields))); }

  const Variant& variant() const { return value_; }
  const Array* list() const { return std::get_if<Array>(&value_); }
  const Object* fields() const { return std::get_if<Object>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const Number* number() const { return std::get_if<Number>(&value_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  // Of an object: the first field of that name, or null.
  const AnswerValue* Find(std::string_view name) const {
    const Object* const all = fields();
    if (all == nullptr) return nullptr;
    for (const auto& [key, value] : *all) {
      if (key == name) return &value;
    }
    return nullptr;
  }

 private:
  explicit AnswerValue(Variant value) : value_(std::move(value)) {}
  Variant value_;
};

}  // namespace xcloud
