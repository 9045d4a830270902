#include "models/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace xcloud {
namespace {

using ::testing::ElementsAre;

TEST(ParseLabelsTest, KeepsOrderAndTextExactly) {
  const auto labels = ParseLabels("tench\n great white shark \nCh\xC3\xA2teau\n", "m/labels.txt");
  ASSERT_TRUE(labels.ok());
  EXPECT_THAT(*labels, ElementsAre("tench", " great white shark ", "Ch\xC3\xA2teau"));
}

TEST(ParseLabelsTest, ToleratesByteOrderMarkCrlfAndBlankLinesAtTheEnd) {
  for (const char* text : {"a\nb", "a\nb\n", "a\r\nb\r\n",
                           "\xEF\xBB\xBF"
                           "a\nb\n",
                           "a\nb\n\n\r\n"}) {
    const auto labels = ParseLabels(text, "m/labels.txt");
    ASSERT_TRUE(labels.ok()) << labels.status().message();
    EXPECT_THAT(*labels, ElementsAre("a", "b")) << text;
  }
}

TEST(ParseLabelsTest, RefusesAnEmptyFile) {
  for (const char* text : {"", "\n", "\r\n\r\n", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(ParseLabels(text, "m/labels.txt").status().message(),
              "m/labels.txt: must name at least one label");
  }
}

TEST(ParseLabelsTest, RefusesWhatWouldShiftOrGarbleLabelsAndNamesEveryLine) {
  const auto labels = ParseLabels("a\n\nb\xFF\nc\td\n" + std::string(1025, 'x') + "\ne\n", "f");
  ASSERT_FALSE(labels.ok());
  EXPECT_EQ(labels.status().message(),
            "f:2: must not be blank\n"
            "f:3: must be UTF-8 without control characters\n"
            "f:4: must be UTF-8 without control characters\n"
            "f:5: must be at most 1024 bytes long");
}

TEST(IsPlainUtf8Test, TellsValidFromInvalid) {
  for (const char* good : {"", "a~", "\xC3\xA9", "\xE6\xA4\x8D\xE7\x89\xA9", "\xF0\x9F\x8C\xB1"}) {
    EXPECT_TRUE(IsPlainUtf8(good)) << good;
  }
  // Cut short, a lone continuation, overlong, a surrogate, above U+10FFFF, DEL, C1, NEL.
  for (const char* bad : {"\xC3", "\xA9", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\x7F", "\xC2\x80", "\xC2\x85", "a\nb"}) {
    EXPECT_FALSE(IsPlainUtf8(bad));
  }
}

}  // namespace
}  // namespace xcloud
