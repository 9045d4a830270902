// Tensors as JSON: each type both ways, ranges, shapes, bounds.
#include "http/v2/tensor_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kLimit = 1 << 20;

Result<std::string> Read(DataType type, const std::string& text, std::uint64_t elements,
                         std::uint64_t limit_bytes = kLimit) {
  return ReadTensorJson(text, 0, type, {elements, limit_bytes});
}

std::string Refusal(DataType type, const std::string& text, std::uint64_t elements,
                    std::uint64_t limit_bytes = kLimit) {
  const auto data = Read(type, text, elements, limit_bytes);
  return data.ok() ? "taken" : data.status().message();
}

template <class T>
std::vector<T> Values(DataType type, const std::string& text, std::uint64_t elements) {
  const auto data = Read(type, text, elements);
  EXPECT_TRUE(data.ok()) << data.status().message();
  if (!data.ok()) return {};
  std::vector<T> values(data->size() / sizeof(T));
  std::memcpy(values.data(), data->data(), data->size());
  return values;
}

template <class T>
std::string Write(DataType type, const std::vector<T>& values) {
  const std::string data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  std::string out;
  const Status status =
      WriteTensorJson({"x", type, {static_cast<std::int64_t>(values.size())}, data}, out);
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

TEST(ReadTensorJsonTest, TakesTheMemoryOfTheTensorAndNoMore) {
  std::string text = "[0";
  for (int i = 1; i < 3000; ++i) text += ",0";
  text += "]";
  const auto data = Read(DataType::kFp64, text, 3000);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->capacity(), 24'000U);
}

// The range of T in and out, and one more on each side refused.
template <class T>
void CheckWhole(DataType type, const std::string& below, const std::string& above) {
  const T min = std::numeric_limits<T>::min();
  const T max = std::numeric_limits<T>::max();
  const std::string text = "[" + std::to_string(min) + "," + std::to_string(max) + "]";
  EXPECT_EQ(Values<T>(type, text, 2), (std::vector<T>{min, max}));
  EXPECT_EQ(Write<T>(type, {min, max}), text);
  for (const std::string& outside : {below, above}) {
    EXPECT_EQ(Refusal(type, "[" + outside + "]", 1), "Unable to parse 'data': " + outside +
                                                         " is out of range for " +
                                                         std::string(DataTypeName(type)));
  }
  for (const char* wrong : {"[1.5]", "[1.0]", "[1e2]", "[NaN]", "[\"1\"]", "[true]", "[null]"}) {
    EXPECT_THAT(Refusal(type, wrong, 1), HasSubstr("-integer as ")) << wrong;
  }
}

TEST(TensorJsonTest, WholeNumbersOfEachTypesRange) {
  CheckWhole<std::uint8_t>(DataType::kUint8, "-1", "256");
  CheckWhole<std::uint16_t>(DataType::kUint16, "-1", "65536");
  CheckWhole<std::uint32_t>(DataType::kUint32, "-1", "4294967296");
  CheckWhole<std::uint64_t>(DataType::kUint64, "-1", "18446744073709551616");
  CheckWhole<std::int8_t>(DataType::kInt8, "-129", "128");
  CheckWhole<std::int16_t>(DataType::kInt16, "-32769", "32768");
  CheckWhole<std::int32_t>(DataType::kInt32, "-2147483649", "2147483648");
  CheckWhole<std::int64_t>(DataType::kInt64, "-9223372036854775809", "9223372036854775808");
}

TEST(TensorJsonTest, FloatsAreShortAndReadBackTheSame) {
  const std::vector<float> floats = {0.1F, 1.0F, -0.0F, 16777216.0F, 3.4028235e38F, 1e-45F, 1e20F};
  const std::string text = Write(DataType::kFp32, floats);
  EXPECT_EQ(text, "[0.1,1.0,-0.0,16777216.0,3.4028235e+38,1e-45,1e+20]");
  const auto back = Values<float>(DataType::kFp32, text, floats.size());
  EXPECT_EQ(std::memcmp(back.data(), floats.data(), floats.size() * sizeof(float)), 0);
  const std::vector<double> doubles = {0.1, 1e300, 5e-324, 9007199254740993.0};
  EXPECT_EQ(Values<double>(DataType::kFp64, Write(DataType::kFp64, doubles), 4), doubles);
  EXPECT_EQ(Values<float>(DataType::kFp32, "[1, -2 ,3e1]", 3), (std::vector<float>{1, -2, 30}));
  EXPECT_THAT(Refusal(DataType::kFp32, "[1e39]", 1), HasSubstr("1e39 is out of range for FP32"));
  EXPECT_THAT(Refusal(DataType::kFp64, "[\"NaN\"]", 1), HasSubstr("non-number as double"));
}

TEST(TensorJsonTest, NanAndInfinityBothWays) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Write<float>(DataType::kFp32, {NAN, infinity, -infinity}), "[NaN,Infinity,-Infinity]");
  const auto read = Values<float>(DataType::kFp32, "[NaN,Inf,-Infinity]", 3);
  EXPECT_TRUE(std::isnan(read[0]));
  EXPECT_EQ(read[1], infinity);
  EXPECT_EQ(read[2], -infinity);
  EXPECT_EQ(Write<double>(DataType::kFp64, {-NAN}), "[NaN]");
}

TEST(TensorJsonTest, Bools) {
  EXPECT_EQ(Values<std::uint8_t>(DataType::kBool, "[true,false,1,0]", 4),
            (std::vector<std::uint8_t>{1, 0, 1, 0}));
  EXPECT_EQ(Write<std::uint8_t>(DataType::kBool, {1, 0, 7}), "[true,false,true]");
  for (const char* wrong : {"[2]", "[1.0]", "[\"true\"]", "[null]"}) {
    EXPECT_THAT(Refusal(DataType::kBool, wrong, 1), HasSubstr("non-boolean as boolean")) << wrong;
  }
}

TEST(TensorJsonTest, BytesAreStrings) {
  const std::string text = R"(["","\u00e9t\u00e9","a\u0000b","\ud83d\ude00"])";
  const auto data = Read(DataType::kBytes, text, 4);
  ASSERT_TRUE(data.ok()) << data.status().message();
  std::string expected;
  for (const std::string_view element : {std::string_view(""), std::string_view("été"),
                                         std::string_view("a\0b", 3), std::string_view("😀")}) {
    AppendBytesElement(expected, element);
  }
  EXPECT_EQ(*data, expected);
  std::string out;
  ASSERT_TRUE(WriteTensorJson({"x", DataType::kBytes, {2, 2}, *data}, out).ok());
  EXPECT_EQ(out, "[\"\",\"été\",\"a\\u0000b\",\"😀\"]");
  EXPECT_THAT(Refusal(DataType::kBytes, "[1]", 1), HasSubstr("non-string as string"));
}

TEST(TensorJsonTest, BytesThatAreNotTextAreRefusedAsJson) {
  std::string data;
  AppendBytesElement(data, "\xFF\xD8");
  std::string out;
  const Status status = WriteTensorJson({"photo", DataType::kBytes, {1}, data}, out);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("'photo' is not UTF-8"));
}

TEST(TensorJsonTest, DataMayBeNestedOrFlatButMustFillTheShape) {
  const std::vector<std::int32_t> expected = {1, 2, 3, 4};
  for (const char* text : {"[1,2,3,4]", "[[1,2],[3,4]]", "[[[1],[2]],[3,[[4]]]]", "[[],1,2,3,4]"}) {
    EXPECT_EQ(Values<std::int32_t>(DataType::kInt32, text, 4), expected) << text;
  }
  const std::string words =
      "Unable to parse 'data': Shape does not match true shape of 'data' field";
  EXPECT_EQ(Refusal(DataType::kInt32, "[1,2,3]", 4), words);
  EXPECT_EQ(Refusal(DataType::kInt32, "[1,2,3,4,5]", 4), words);
  EXPECT_EQ(Refusal(DataType::kInt32, "[1]", 0), words);
  EXPECT_EQ(Refusal(DataType::kBytes, "[]", 1), words);
  EXPECT_EQ(Refusal(DataType::kInt32, "[]", 0), "taken");
  for (const char* wrong : {"1", "\"x\"", "null", "{}"}) {
    EXPECT_THAT(Refusal(DataType::kInt32, wrong, 1), HasSubstr("non-array as array")) << wrong;
  }
  EXPECT_THAT(Refusal(DataType::kInt32, "[{\"a\":1}]", 1), HasSubstr("non-signed-integer"));
}

TEST(TensorJsonTest, BoundsTheTensorThatATextMakes) {
  EXPECT_EQ(Refusal(DataType::kFp64, "[0,0]", 2, 16), "taken");
  EXPECT_THAT(Refusal(DataType::kFp64, "[0,0,0]", 3, 16),
              HasSubstr("exceeds the maximum allowed value of 16 bytes"));
  EXPECT_THAT(Refusal(DataType::kBytes, R"(["","",""])", 3, 8), HasSubstr("8 bytes"));
}

TEST(TensorJsonTest, ReadsTheValueThatBeginsThere) {
  const auto data = ReadTensorJson("xx [7] ,rest", 2, DataType::kUint8, {1, kLimit});
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(*data, "\7");
}

TEST(TensorJsonTest, AModelsTensorThatDoesNotFitItsShapeIsOurFault) {
  std::string out;
  std::string element;
  AppendBytesElement(element, "abc");
  for (const Tensor& tensor :
       {Tensor{"x", DataType::kFp32, {2}, std::string(4, '\0')},
        Tensor{"x", DataType::kFp32, {1}, std::string(5, '\0')},
        Tensor{"x", DataType::kFp32, {-1}, std::string(4, '\0')},
        Tensor{"x", DataType::kBytes, {1}, std::string(3, '\0')},
        Tensor{"x", DataType::kBytes, {2}, element}, Tensor{"x", DataType::kBytes, {0}, element},
        Tensor{"x", DataType::kBytes, {1}, element.substr(0, 6)}}) {
    EXPECT_EQ(WriteTensorJson(tensor, out).code(), StatusCode::kInternal);
  }
}

TEST(TensorJsonTest, HalfFloatsHaveNoJsonForm) {
  EXPECT_FALSE(HasJsonForm(DataType::kFp16));
  EXPECT_FALSE(HasJsonForm(DataType::kBf16));
  EXPECT_TRUE(HasJsonForm(DataType::kFp32));
  EXPECT_TRUE(HasJsonForm(DataType::kBytes));
}

}  // namespace
}  // namespace xcloud
