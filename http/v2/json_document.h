// Reads the JSON that callers of the Open Inference Protocol send: either into a small tree
// (ParseJson) or as events (WalkJson), for tensors that are too long for a tree.
//
// What is taken: RFC 8259, and NaN, Inf, Infinity with an optional minus as numbers, because
// Python's json writes them and Triton reads them. Text must be valid UTF-8. Integers of 64 bits
// and doubles are exact. Of two members with one name the first counts, as in Triton.
// Bounds: no recursion, whatever the text; kMaxJsonDepth levels of nesting; kMaxJsonValues values
// in a tree, which costs 20 times its text.
// Errors: InvalidArgument, with the offset of the byte where the text went wrong.
// Thread safety: pure functions and plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace xcloud {

inline constexpr int kMaxJsonDepth = 100;  // Triton's HTTP_MAX_JSON_NESTING_DEPTH
inline constexpr std::string_view kTooDeepJson =
    "JSON nesting depth exceeds maximum allowed limit (100)";
inline constexpr std::size_t kMaxJsonValues = 65'536;

class JsonValue {
 public:
  struct Null {};
  // Checked, and left where it stands in the text.
  struct Unread {
    std::size_t offset = 0;
  };
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;  // in the text's order

  JsonValue() = default;
  // T is one of those below.
  template <class T>
  explicit JsonValue(T value) : value_(std::move(value)) {}

  // Null unless the value is a T: Null, Unread, bool, std::int64_t, std::uint64_t (only what an
  // int64 cannot hold), double, std::string, Array or Object.
  template <class T>
  const T* As() const {
    return std::get_if<T>(&value_);
  }
  template <class T>
  T* As() {
    return std::get_if<T>(&value_);
  }
  // The first member of that name. Null when there is none, or when this is no object.
  const JsonValue* Find(std::string_view name) const;
  // The whole number >= 0 that this is. Null of anything else, 1.0 included.
  bool AsUnsigned(std::uint64_t& value) const;

 private:
  std::variant<Null, Unread, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object>
      value_;
};

// Takes the events of one text, in order. A method that returns false ends the walk.
class JsonSink {
 public:
  virtual ~JsonSink() = default;
  virtual bool Null() = 0;
  virtual bool Bool(bool value) = 0;
  virtual bool Number(std::string_view text) = 0;  // as written
  virtual bool String(std::string_view text) = 0;  // unescaped
  virtual bool BeginObject() = 0;
  // `end`: the offset behind the key's closing quote.
  virtual bool Key(std::string_view name, std::size_t end) = 0;
  virtual bool EndObject() = 0;
  virtual bool BeginArray() = 0;
  virtual bool EndArray() = 0;
  // Why a method returned false.
  virtual Status error() const = 0;
};

// The whole of `text` is one value.
Status WalkJson(std::string_view text, JsonSink& sink);
// The value that begins at text[offset]; what follows it is not looked at. For JsonValue::Unread.
Status WalkJsonValue(std::string_view text, std::size_t offset, JsonSink& sink);

// `leave_tensor_data`: what stands at inputs[i].data is left Unread and does not count as values.
Result<JsonValue> ParseJson(std::string_view text, bool leave_tensor_data = false);

// A number as WalkJson gives it.
enum class JsonNumber {
  kOk,
  kNotInteger,  // anything but digits behind an optional minus, where a whole number is wanted
  kOutOfRange,
};
// T: a (u)intN_t, float or double. Fractions are rounded once, to T; what is too small becomes 0.
template <class T>
JsonNumber ReadJsonNumber(std::string_view text, T& value);

}  // namespace xcloud
