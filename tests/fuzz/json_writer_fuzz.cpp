// Whatever a client sent, JSON that repeats it is valid, and says the same when it was UTF-8;
// numbers come back within their rounding.
#include "http/json_writer.h"

#include <cmath>
#include <cstring>
#include <string>

#include <nlohmann/json.hpp>

#include "core/status.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

using nlohmann::json;

void CheckString(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  const json read = json::parse(out, nullptr, false);
  XC_CHECK(read.is_string());
  const auto& back = read.get_ref<const std::string&>();
  // The other library's word on what is UTF-8.
  const json quoted = std::string(text);
  const std::string replaced = quoted.dump(-1, ' ', false, json::error_handler_t::ignore);
  const bool is_utf8 = json::parse(replaced).get<std::string>() == text;
  XC_CHECK(is_utf8 == (back == text));
}

void CheckNumber(double value, int decimals) {
  std::string out;
  AppendFixed(out, value, decimals);
  const json read = json::parse(out, nullptr, false);
  if (!std::isfinite(value)) {
    XC_CHECK(read.is_null());
    return;
  }
  XC_CHECK(read.is_number_float());
  const int kept = std::min(std::max(decimals, 0), 17);
  const double rounding = 0.5 * std::pow(10.0, -kept) + 4e-16 * std::fabs(value);
  XC_CHECK(std::fabs(read.get<double>() - value) <= rounding * 1.01);
}

void TestOne(FuzzInput input) {
  const int decimals = static_cast<int>(input.TakeByte() % 32) - 4;
  const ExactCopy copy(input.rest());
  CheckString(copy.view());
  if (copy.view().size() < sizeof(double)) return;
  double value = 0;
  std::memcpy(&value, copy.view().data(), sizeof value);
  CheckNumber(value, decimals);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
