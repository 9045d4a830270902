#include "core/tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "core/shown_text.h"

namespace xcloud {
namespace {

TEST(DataTypeTest, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(ParseDataType(DataTypeName(type)), type);
  }
  EXPECT_EQ(ParseDataType("FP16"), DataType::kFp16);
  EXPECT_FALSE(ParseDataType("fp32"));
  EXPECT_FALSE(ParseDataType(""));
}

TEST(TensorTest, CountsElementsWithoutOverflow) {
  EXPECT_EQ(ElementCount({}), 1U);
  EXPECT_EQ(ElementCount({2, 3, 4}), 24U);
  EXPECT_EQ(ElementCount({2, 0, 4}), 0U);
  EXPECT_FALSE(ElementCount({2, -1}));
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(ElementCount({big, 3}));
}

TEST(TensorTest, BytesElementsShareTheBufferTheyCameIn) {
  std::string data;
  AppendBytesElement(data, "photo");
  AppendBytesElement(data, "");
  AppendBytesElement(data, std::string("\0x", 2));
  const SharedBytes shared(std::move(data));
  const auto elements = SplitBytesElements(shared);
  ASSERT_TRUE(elements);
  ASSERT_EQ(elements->size(), 3U);
  EXPECT_EQ((*elements)[0], "photo");
  EXPECT_EQ((*elements)[0].data(), shared.data() + 4);
  EXPECT_TRUE((*elements)[1].empty());
  EXPECT_EQ((*elements)[2].size(), 2U);
}

TEST(TensorTest, TheTextOfAShapeIsBounded) {
  EXPECT_EQ(ShapeText({}), "[]");
  EXPECT_EQ(ShapeText({-1, 224, 3}), "[-1,224,3]");
  EXPECT_EQ(ShapeText(std::vector<std::int64_t>(16, 1)), "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]");
  EXPECT_EQ(ShapeText(std::vector<std::int64_t>(50'000, 1)),
            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,...]");
}

TEST(ShownTextTest, IsCutBetweenCharacters) {
  EXPECT_EQ(ShownText("image"), "image");
  EXPECT_EQ(ShownText(std::string(64, 'n')), std::string(64, 'n'));
  EXPECT_EQ(ShownName(std::string(65, 'n')), "'" + std::string(64, 'n') + "...'");
  EXPECT_EQ(ShownText(std::string(63, 'n') + "\u00e9"), std::string(63, 'n') + "...");
}

TEST(TensorTest, BytesElementsThatDoNotAddUpAreRefused) {
  std::string data;
  AppendBytesElement(data, "photo");
  EXPECT_FALSE(SplitBytesElements(SharedBytes(data.substr(0, 3))));
  EXPECT_FALSE(SplitBytesElements(SharedBytes(data.substr(0, 6))));
  EXPECT_FALSE(SplitBytesElements(SharedBytes(data + "x")));
  EXPECT_TRUE(SplitBytesElements(SharedBytes())->empty());
}

}  // namespace
}  // namespace xcloud
