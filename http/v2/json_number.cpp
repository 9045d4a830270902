#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <type_traits>

#include "http/v2/json_document.h"

namespace xcloud {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t CountDigits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) ++count;
  return count;
}

// How far the exponent moves the point; cut to what no text can make up for.
std::int64_t ExponentOf(std::string_view text) {
  constexpr std::int64_t kFar = 1LL << 40;
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || value > kFar) value = kFar;
  return minus ? -value : value;
}

// Of a number that no T holds: is it too small, and not too large?
bool IsTiny(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t whole = CountDigits(text);
  std::int64_t point = text.starts_with('0') ? 0 : static_cast<std::int64_t>(whole);
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::size_t digits = CountDigits(text);
    if (point == 0) {
      const std::size_t first = text.find_first_not_of('0');
      point = -static_cast<std::int64_t>(std::min(first, digits));
    }
    text.remove_prefix(digits);
  }
  if (!text.empty()) point += ExponentOf(text.substr(1));
  return point <= 0;
}

template <class T>
JsonNumber ReadWhole(std::string_view text, T& value) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  const std::size_t digits = CountDigits(text.substr(sign));
  if (digits == 0 || sign + digits != text.size()) return JsonNumber::kNotInteger;
  if (std::is_unsigned_v<T> && sign == 1) {
    value = 0;
    return text == "-0" ? JsonNumber::kOk : JsonNumber::kOutOfRange;
  }
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? JsonNumber::kOk : JsonNumber::kOutOfRange;
}

template <class T>
JsonNumber ReadReal(std::string_view text, T& value) {
  const bool minus = text.starts_with('-');
  const std::string_view word = text.substr(minus ? 1 : 0);
  if (!word.empty() && !IsDigit(word.front())) {
    value =
        word == "NaN" ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::infinity();
    if (minus) value = -value;
    return JsonNumber::kOk;
  }
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc() && !std::isinf(value)) return JsonNumber::kOk;
  if (!IsTiny(text)) return JsonNumber::kOutOfRange;
  value = minus ? -T{0} : T{0};
  return JsonNumber::kOk;
}

}  // namespace

template <class T>
JsonNumber ReadJsonNumber(std::string_view text, T& value) {
  if constexpr (std::is_integral_v<T>) {
    return ReadWhole(text, value);
  } else {
    return ReadReal(text, value);
  }
}

template JsonNumber ReadJsonNumber(std::string_view, std::uint8_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::uint16_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::uint32_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::uint64_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::int8_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::int16_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::int32_t&);
template JsonNumber ReadJsonNumber(std::string_view, std::int64_t&);
template JsonNumber ReadJsonNumber(std::string_view, float&);
template JsonNumber ReadJsonNumber(std::string_view, double&);

}  // namespace xcloud
