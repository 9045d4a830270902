#include "http/base64.h"

#include <array>
#include <cstdint>
#include <string>

namespace xcloud {
namespace {

constexpr std::uint8_t kSkip = 64;  // a blank or a line break
constexpr std::uint8_t kPad = 65;
constexpr std::uint8_t kBad = 66;
constexpr std::uint32_t kNoDigit = 1U << 24;

using Digits = std::array<std::uint8_t, 256>;  // six bits of each character, or one of the above

constexpr Digits MakeDigits(Base64Space space) {
  Digits digits{};
  for (std::uint8_t& digit : digits) digit = kBad;
  for (std::uint8_t i = 0; i < 26; ++i) {
    digits[static_cast<std::size_t>('A') + i] = i;
    digits[static_cast<std::size_t>('a') + i] = static_cast<std::uint8_t>(26 + i);
  }
  for (std::uint8_t i = 0; i < 10; ++i) {
    digits[static_cast<std::size_t>('0') + i] = static_cast<std::uint8_t>(52 + i);
  }
  digits['+'] = digits['-'] = 62;
  digits['/'] = digits['_'] = 63;
  digits['='] = kPad;
  for (const char c : {'\t', '\n', '\f', '\r', ' '}) digits[static_cast<std::size_t>(c)] = kSkip;
  if (space == Base64Space::kIsPlus) digits[' '] = 62;
  return digits;
}

// What the character at each place of a group of four adds to its three bytes, the first of them
// lowest; kNoDigit where it is none. Four look-ups and one test do a whole group.
using Group = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr Group MakeGroup(const Digits& digits) {
  Group group{};
  for (std::size_t c = 0; c < 256; ++c) {
    const std::uint32_t d = digits[c];
    if (d >= 64) {
      for (auto& place : group) place[c] = kNoDigit;
      continue;
    }
    group[0][c] = d << 2;
    group[1][c] = d >> 4 | (d & 0xF) << 12;
    group[2][c] = (d >> 2) << 8 | (d & 0x3) << 22;
    group[3][c] = d << 16;
  }
  return group;
}

struct Tables {
  Digits digits;
  Group group;
};

constexpr Tables MakeTables(Base64Space space) {
  return {MakeDigits(space), MakeGroup(MakeDigits(space))};
}

constexpr Tables kSkipping = MakeTables(Base64Space::kSkipped);
constexpr Tables kWithPlus = MakeTables(Base64Space::kIsPlus);

using Byte = unsigned char;

// Whole groups of four digits, as many as follow one another.
void DecodeGroups(const Group& group, const Byte*& in, const Byte* end, char*& out) {
  while (end - in >= 4) {
    const std::uint32_t bytes =
        group[0][in[0]] | group[1][in[1]] | group[2][in[2]] | group[3][in[3]];
    if ((bytes & kNoDigit) != 0) return;
    out[0] = static_cast<char>(bytes);
    out[1] = static_cast<char>(bytes >> 8);
    out[2] = static_cast<char>(bytes >> 16);
    in += 4;
    out += 3;
  }
}

Status Wrong(std::string_view text, std::size_t at, const std::string& why) {
  if (at == text.size()) return Status::InvalidArgument("at its end: " + why);
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto c = static_cast<Byte>(text[at]);
  return Status::InvalidArgument("at character " + std::to_string(at) + " (0x" + kHex[c >> 4] +
                                 kHex[c & 0xF] + "): " + why);
}

// The digits of a group that is not plain: blanks between them, or the padding.
struct Remainder {
  std::uint32_t bits = 0;
  int digits = 0;
  int pads = 0;
};

// A digit or a padding.
Status TakeOne(const Digits& digits, std::string_view text, std::size_t at, Remainder& rest) {
  const std::uint8_t digit = digits[static_cast<Byte>(text[at])];
  if (digit == kBad) return Wrong(text, at, "not in the alphabet");
  if (digit == kPad) {
    if (rest.digits < 2 || rest.digits + rest.pads == 4) {
      return Wrong(text, at, "padding that does not belong there");
    }
    ++rest.pads;
    return Status::Ok();
  }
  if (rest.pads > 0) return Wrong(text, at, "something follows the padding");
  rest.bits = rest.bits << 6 | digit;
  ++rest.digits;
  return Status::Ok();
}

Status CheckEnd(std::string_view text, const Remainder& rest) {
  if (rest.digits == 1) return Wrong(text, text.size(), "a single character is left over");
  if (rest.pads > 0 && rest.digits + rest.pads != 4) {
    return Wrong(text, text.size(), "the padding is cut off");
  }
  return Status::Ok();
}

}  // namespace

Result<std::size_t> DecodeBase64(std::string_view text, char* out, Base64Space space) {
  const Tables& tables = space == Base64Space::kIsPlus ? kWithPlus : kSkipping;
  const auto* const begin = reinterpret_cast<const Byte*>(text.data());
  const Byte* const end = begin + text.size();
  const Byte* in = begin;
  char* to = out;
  Remainder rest;
  while (in != end) {
    if (rest.digits == 0) DecodeGroups(tables.group, in, end, to);
    while (in != end && tables.digits[*in] == kSkip) ++in;
    if (in == end) break;
    Status status = TakeOne(tables.digits, text, static_cast<std::size_t>(in - begin), rest);
    if (!status.ok()) return status;
    ++in;
    if (rest.digits < 4) continue;
    for (const int shift : {16, 8, 0}) *to++ = static_cast<char>(rest.bits >> shift);
    rest = {};
  }
  if (Status status = CheckEnd(text, rest); !status.ok()) return status;
  if (rest.digits >= 2) *to++ = static_cast<char>(rest.bits >> (rest.digits * 6 - 8));
  if (rest.digits == 3) *to++ = static_cast<char>(rest.bits >> 2);
  return static_cast<std::size_t>(to - out);
}

}  // namespace xcloud
