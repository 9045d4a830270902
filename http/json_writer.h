// JsonWriter: writes JSON straight into a string, without building a document first.
//
// Text is UTF-8 and not escaped beyond what JSON demands; a byte that is not valid UTF-8 becomes
// U+FFFD, so that the output is always valid. Numbers do not depend on the locale.
// The caller balances Begin and End and gives each member of an object a Key; commas are ours.
// Thread safety: none; one writer per string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xcloud {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view text);
  JsonWriter& Integer(std::int64_t value);
  // At most `decimals` digits after the point, rounded; trailing zeros dropped but for the first
  // (0.5, 1.0), so that a typed reader always sees a float. NaN and infinity become null.
  JsonWriter& Fixed(double value, int decimals);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  // A value that is JSON already.
  JsonWriter& Raw(std::string_view json);

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string& out_;
  bool comma_ = false;  // a value stands before, so the next needs a comma
};

// Nothing in `text` would become U+FFFD.
bool IsUtf8(std::string_view text);
// `text` as a JSON string with its quotes.
void AppendJsonString(std::string& out, std::string_view text);
// As JsonWriter::Fixed.
void AppendFixed(std::string& out, double value, int decimals);

}  // namespace xcloud
