#include "http/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/support/base64_text.h"

namespace xcloud {
namespace {

using ::testing::StrEq;

// Into a buffer of exactly the promised size, so that a sanitizer sees a byte too many.
Result<std::string> Decode(const std::string& text, Base64Space space = Base64Space::kSkipped) {
  std::string out(Base64Bound(text.size()), '?');
  const auto size = DecodeBase64(text, out.data(), space);
  if (!size.ok()) return size.status();
  return out.substr(0, *size);
}

std::string Decoded(const std::string& text) {
  const auto bytes = Decode(text);
  return bytes.ok() ? *bytes : "error " + bytes.status().message();
}

std::string RandomBytes(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Base64Test, DecodesTheExamplesOfTheRfc) {
  EXPECT_EQ(Decoded(""), "");
  EXPECT_EQ(Decoded("Zg=="), "f");
  EXPECT_EQ(Decoded("Zm8="), "fo");
  EXPECT_EQ(Decoded("Zm9v"), "foo");
  EXPECT_EQ(Decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(Decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(Decoded("Zm9vYmFy"), "foobar");
}

TEST(Base64Test, EveryDigitHasItsValueInEveryPlace) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t digit = 0; digit < 64; ++digit) {
    for (std::size_t place = 0; place < 4; ++place) {
      std::string text = "AAAA";
      text[place] = digits[digit];
      const std::uint32_t bits = static_cast<std::uint32_t>(digit) << (18 - 6 * place);
      const std::string bytes = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8),
                                 static_cast<char>(bits)};
      EXPECT_EQ(Decoded(text), bytes) << text;
      // With a blank inside, the group goes the slow way.
      EXPECT_EQ(Decoded(text.substr(0, 2) + "\n" + text.substr(2)), bytes) << text;
    }
  }
}

TEST(Base64Test, DecodesWhatItsOppositeWrote) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string bytes = RandomBytes(random, size);
    EXPECT_EQ(Decoded(ToBase64(bytes)), bytes) << size;
    EXPECT_EQ(Decoded(ToBase64(bytes, false)), bytes) << "no padding, " << size;
  }
}

TEST(Base64Test, TakesTheUrlSafeAlphabetToo) {
  EXPECT_EQ(Decoded("-_-_"), Decoded("+/+/"));
  EXPECT_EQ(Decoded("+_-/"), Decoded("+/+/"));
}

TEST(Base64Test, PassesOverBlanksAndLineBreaksAnywhere) {
  const std::string text = "Zm9vYmE=";
  for (const char* blank : {" ", "\n", "\r\n", "\t", "\f"}) {
    for (std::size_t at = 0; at <= text.size(); ++at) {
      std::string broken = text;
      EXPECT_EQ(Decoded(broken.insert(at, blank)), "fooba") << at;
    }
  }
  std::mt19937 random(2);
  const std::string bytes = RandomBytes(random, 1000);
  std::string lines = ToBase64(bytes);
  for (std::size_t at = 76; at < lines.size(); at += 78) lines.insert(at, "\r\n");
  EXPECT_EQ(Decoded(lines), bytes) << "lines as in a mail";
}

TEST(Base64Test, DecodesInPlace) {
  std::mt19937 random(3);
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = RandomBytes(random, size);
    std::string text = ToBase64(bytes);
    const std::string prefix = "data:";
    std::string whole = prefix + text;
    const std::string_view within = std::string_view(whole).substr(prefix.size());
    const auto decoded = DecodeBase64(within, whole.data());
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(whole.substr(0, *decoded), bytes) << size;
  }
}

TEST(Base64Test, SaysWhatIsWrongAndWhere) {
  const auto message = [](const std::string& text) { return Decode(text).status().message(); };
  EXPECT_THAT(message("Zm9%"), StrEq("at character 3 (0x25): not in the alphabet"));
  EXPECT_THAT(message(std::string(1000, 'A') + "." + std::string(1000, 'A')),
              StrEq("at character 1000 (0x2e): not in the alphabet"));
  EXPECT_THAT(message(std::string("AA\0A", 4)),
              StrEq("at character 2 (0x00): not in the alphabet"));
  EXPECT_THAT(message("AAAA\xC3\xA9"), StrEq("at character 4 (0xc3): not in the alphabet"));
  EXPECT_THAT(message("Zg==Zg=="), StrEq("at character 4 (0x5a): something follows the padding"));
  EXPECT_THAT(message("Zm8=="), StrEq("at character 4 (0x3d): padding that does not belong there"));
  EXPECT_THAT(message("="), StrEq("at character 0 (0x3d): padding that does not belong there"));
  EXPECT_THAT(message("Z==="), StrEq("at character 1 (0x3d): padding that does not belong there"));
  EXPECT_THAT(message("AAAA="), StrEq("at character 4 (0x3d): padding that does not belong there"));
  EXPECT_THAT(message("Zg="), StrEq("at its end: the padding is cut off"));
  EXPECT_THAT(message("AAAAA"), StrEq("at its end: a single character is left over"));
}

TEST(Base64Test, EveryByteOutsideOfTheAlphabetIsRefused) {
  const std::string fine =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\n\r\f";
  for (int c = 0; c < 256; ++c) {
    if (fine.find(static_cast<char>(c)) != std::string::npos) continue;
    for (std::size_t place = 0; place < 4; ++place) {
      std::string text = "AAAA";
      text[place] = static_cast<char>(c);
      EXPECT_FALSE(Decode(text).ok()) << c;
    }
  }
}

TEST(Base64Test, ASpaceIsAPlusWhereAFormMadeItOne) {
  const auto spaced = [](const std::string& text) { return *Decode(text, Base64Space::kIsPlus); };
  EXPECT_EQ(spaced(" / /"), Decoded("+/+/"));
  EXPECT_EQ(spaced("    "), Decoded("++++"));
  EXPECT_EQ(spaced("Zm9v\r\nYmFy"), "foobar") << "line breaks are still passed over";
}

}  // namespace
}  // namespace xcloud
