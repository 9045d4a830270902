// A query that was read gives the same fields when every byte of them is escaped and it is read
// again; options taken from it keep their bounds.
#include "http/query.h"

#include <string>

#include "core/status.h"
#include "http/endpoints/infer_options.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

std::string Escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

void CheckDecoding(std::string_view text, bool plus_is_space) {
  const auto decoded = PercentDecode(text, plus_is_space);
  if (!decoded) {
    XC_CHECK(text.find('%') != std::string_view::npos);
    return;
  }
  XC_CHECK(decoded->size() <= text.size());
  XC_CHECK((text.size() - decoded->size()) % 2 == 0);
  XC_CHECK(PercentDecode(Escaped(*decoded), plus_is_space) == decoded);
  if (text.find_first_of("%+") == std::string_view::npos) XC_CHECK(*decoded == text);
}

void CheckOptions(std::string_view text, bool is_query) {
  InferOptions options;
  const Status status = ApplyInferQuery(text, options);
  if (!status.ok()) {
    XC_CHECK(status.code() == StatusCode::kInvalidArgument && !status.message().empty());
    return;
  }
  XC_CHECK(is_query);
  XC_CHECK(options.top_k >= 0 && options.top_k <= kMaxTopK);
  XC_CHECK(!options.deadline_ms ||
           (*options.deadline_ms >= 1 && *options.deadline_ms <= kMaxDeadlineMs));
  XC_CHECK(options.timeout_us >= 0 && options.timeout_us <= kMaxDeadlineMs * 1000);
  XC_CHECK(options.version.size() <= 64);
}

void TestOne(std::string_view bytes) {
  const ExactCopy copy(bytes);
  const std::string_view text = copy.view();
  CheckDecoding(text, false);
  CheckDecoding(text, true);
  const auto fields = ParseQuery(text);
  CheckOptions(text, fields.has_value());
  // One broken escape anywhere refuses all of it; none refuses nothing.
  XC_CHECK(fields.has_value() == PercentDecode(text, true).has_value());
  if (!fields) return;
  std::string written;
  for (const auto& [name, value] : *fields) written += Escaped(name) + '=' + Escaped(value) + "&&";
  XC_CHECK(ParseQuery(written) == fields);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
