// A media type that was read is in its normal form, and reads as itself when it is written anew
// with every value quoted; any bytes at all can be such a value.
#include "http/media_type.h"

#include <string>

#include "core/status.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

bool IsNormal(std::string_view text) {
  for (const char c : text) {
    if ((c >= 'A' && c <= 'Z') || c == ';') return false;
  }
  return text == TrimBlanks(text);
}

std::string Write(const MediaType& type) {
  std::string out = type.value;
  for (const auto& [name, value] : type.parameters) {
    out += "; " + name + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out;
}

void TestOne(std::string_view bytes) {
  const ExactCopy copy(bytes);
  const auto type = ParseMediaType(copy.view());
  XC_CHECK(TrimBlanks(TrimBlanks(bytes)) == TrimBlanks(bytes));
  XC_CHECK(EqualsIgnoreCase(bytes, bytes));
  const MediaType made{"a/b", {{"first", std::string(bytes)}, {"second", "x"}}};
  const auto read = ParseMediaType(Write(made));
  XC_CHECK(read && read->value == made.value && read->parameters == made.parameters);
  if (!type) return;
  XC_CHECK(!type->value.empty() && IsNormal(type->value));
  for (const auto& [name, value] : type->parameters) {
    XC_CHECK(IsNormal(name) && name.find('=') == std::string::npos);
    XC_CHECK(type->Parameter(name) != nullptr);
    XC_CHECK(value.size() <= bytes.size());
  }
  const auto again = ParseMediaType(Write(*type));
  XC_CHECK(again.has_value());
  XC_CHECK(again->value == type->value && again->parameters == type->parameters);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
