// What base64 decodes to encodes to the same digits again; in place and beside the text it is the
// same; an error names a character that deserves it.
#include "http/base64.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/status.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/base64_text.h"

namespace xcloud {
namespace {

bool IsSkipped(char c, Base64Space space) {
  if (c == ' ') return space == Base64Space::kSkipped;
  return c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

// The digits alone, in the standard alphabet.
std::string Digits(std::string_view text, Base64Space space) {
  std::string digits;
  for (const char c : text) {
    if (IsSkipped(c, space) || c == '=') continue;
    digits += c == '-' || c == ' ' ? '+' : c == '_' ? '/' : c;
  }
  return digits;
}

void CheckDecoded(std::string_view text, Base64Space space, std::string_view decoded) {
  const std::string digits = Digits(text, space);
  std::string again = ToBase64(decoded, false);
  XC_CHECK(digits.size() == again.size());
  // The spare bits of the last digit are dropped.
  const std::size_t whole = digits.size() / 4 * 4;
  const std::size_t exact = digits.size() == whole ? whole : digits.size() - 1;
  XC_CHECK(digits.compare(0, exact, again, 0, exact) == 0);
}

void CheckError(std::string_view text, Base64Space space, const Status& status) {
  XC_CHECK(status.code() == StatusCode::kInvalidArgument);
  constexpr std::string_view kAt = "at character ";
  if (status.message().starts_with("at its end: ")) return;
  XC_CHECK(status.message().starts_with(kAt));
  const std::size_t at = std::strtoul(status.message().c_str() + kAt.size(), nullptr, 10);
  XC_CHECK(at < text.size());
  // All before it is fine: cut there, only the end may be wrong.
  std::vector<char> out(Base64Bound(at));
  const auto front = DecodeBase64(text.substr(0, at), out.data(), space);
  XC_CHECK(front.ok() || front.status().message().starts_with("at its end: "));
}

void TestOne(FuzzInput input) {
  const Base64Space space =
      input.TakeByte() % 2 == 0 ? Base64Space::kSkipped : Base64Space::kIsPlus;
  const ExactCopy copy(input.rest());
  const std::string_view text = copy.view();
  std::vector<char> out(Base64Bound(text.size()));
  const auto size = DecodeBase64(text, out.data(), space);
  std::vector<char> place(text.begin(), text.end());
  const auto in_place = DecodeBase64({place.data(), place.size()}, place.data(), space);
  XC_CHECK(size.ok() == in_place.ok());
  if (!size.ok()) {
    XC_CHECK(size.status() == in_place.status());
    return CheckError(text, space, size.status());
  }
  XC_CHECK(*size == *in_place && std::equal(out.data(), out.data() + *size, place.data()));
  CheckDecoded(text, space, {out.data(), *size});
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
