// The JSON reader: what it takes, what it refuses and where, and its bounds.
#include "http/v2/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

std::string Nested(int depth, const std::string& value = "1") {
  return std::string(depth, '[') + value + std::string(depth, ']');
}

JsonValue Parsed(const std::string& text) {
  auto value = ParseJson(text);
  EXPECT_TRUE(value.ok()) << text << ": " << value.status().message();
  return value.ok() ? *std::move(value) : JsonValue();
}

std::string Refusal(std::string_view text) {
  const auto value = ParseJson(text);
  return value.ok() ? "taken" : value.status().message();
}

TEST(JsonDocumentTest, ReadsEveryKindOfValue) {
  const JsonValue value =
      Parsed(R"( {"n":null,"t":true,"i":-7,"d":0.5,"s":"a\n\u00e9\u0000z","a":[1,[]],"o":{}} )");
  EXPECT_NE(value.Find("n")->As<JsonValue::Null>(), nullptr);
  EXPECT_TRUE(*value.Find("t")->As<bool>());
  EXPECT_EQ(*value.Find("i")->As<std::int64_t>(), -7);
  EXPECT_EQ(*value.Find("d")->As<double>(), 0.5);
  EXPECT_EQ(*value.Find("s")->As<std::string>(), std::string("a\n\xC3\xA9\0z", 6));
  EXPECT_EQ(value.Find("a")->As<JsonValue::Array>()->size(), 2U);
  EXPECT_TRUE(value.Find("o")->As<JsonValue::Object>()->empty());
  EXPECT_EQ(value.Find("x"), nullptr);
  EXPECT_EQ(Parsed("[]").Find("x"), nullptr);
}

TEST(JsonDocumentTest, KeepsIntegersExact) {
  EXPECT_EQ(*Parsed("9223372036854775807").As<std::int64_t>(),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(*Parsed("-9223372036854775808").As<std::int64_t>(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(*Parsed("18446744073709551615").As<std::uint64_t>(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*Parsed("18446744073709551616").As<double>(), 18446744073709551616.0);
  std::uint64_t value = 0;
  EXPECT_TRUE(Parsed("9007199254740993").AsUnsigned(value));
  EXPECT_EQ(value, 9007199254740993U) << "no double holds it";
  EXPECT_TRUE(Parsed("18446744073709551615").AsUnsigned(value));
  for (const char* text : {"-1", "1.0", "1e3", "\"1\"", "true", "null"}) {
    EXPECT_FALSE(Parsed(text).AsUnsigned(value)) << text;
  }
}

TEST(JsonDocumentTest, RoundsDoublesOnce) {
  EXPECT_EQ(*Parsed("0.1").As<double>(), 0.1);
  EXPECT_EQ(*Parsed("2.2250738585072011e-308").As<double>(), 2.2250738585072011e-308);
  EXPECT_EQ(*Parsed("1.7976931348623157e308").As<double>(), std::numeric_limits<double>::max());
  EXPECT_EQ(*Parsed("9007199254740993.0").As<double>(), 9007199254740992.0) << "ties to even";
  EXPECT_EQ(*Parsed("4.9e-324").As<double>(), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(*Parsed("1e-400").As<double>(), 0.0);
  EXPECT_TRUE(std::signbit(*Parsed("-1e-999999999999").As<double>()));
  EXPECT_EQ(*Parsed("0." + std::string(400, '0') + "1").As<double>(), 0.0);
  EXPECT_EQ(*Parsed("0." + std::string(400, '0') + "1e+401").As<double>(), 1.0);
  EXPECT_THAT(Refusal("1e400"), HasSubstr("too big"));
  EXPECT_THAT(Refusal("[1" + std::string(400, '0') + "]"), HasSubstr("at 1"));
}

TEST(JsonDocumentTest, TakesWhatPythonWritesForNoNumber) {
  EXPECT_TRUE(std::isnan(*Parsed("NaN").As<double>()));
  EXPECT_EQ(*Parsed("Infinity").As<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(*Parsed("-Infinity").As<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(*Parsed("[-Inf]").As<JsonValue::Array>()->front().As<double>(),
            -std::numeric_limits<double>::infinity());
  for (const char* text : {"nan", "Nan", "Infinit", "infinity", "+Infinity", "I", "N"}) {
    EXPECT_THAT(Refusal(text), HasSubstr("Invalid value")) << text;
  }
}

TEST(JsonDocumentTest, RefusesWhatIsNotJsonAndSaysWhere) {
  EXPECT_EQ(Refusal(""), "failed to parse the request JSON buffer: The document is empty. at 0");
  EXPECT_THAT(Refusal("{\"a\":}"), HasSubstr(" at 5"));
  EXPECT_THAT(Refusal("[1,2"), HasSubstr(" at 4"));
  EXPECT_THAT(Refusal("[1] 2"), HasSubstr(" at 4"));
  EXPECT_THAT(Refusal(std::string_view("{}\0{}", 5)), HasSubstr(" at 2"));
  EXPECT_THAT(Refusal(std::string_view("\"a\0b\"", 5)), HasSubstr(" at 2"));
  for (const char* text : {"{'a':1}", "[1,]",      "{\"a\":1,}",  "01",
                           "1.",      ".5",        "+1",          "1e",
                           "-",       "0x10",      "tru",         "//x\n1",
                           "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\\ud800\"",
                           "\"a",     "\"\t\"",    "{1:2}",       "]"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
}

TEST(JsonDocumentTest, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(*Parsed("\"\xF0\x9F\x98\x80\"").As<std::string>(), "\xF0\x9F\x98\x80");
  EXPECT_EQ(*Parsed(R"("\ud83d\ude00")").As<std::string>(), "\xF0\x9F\x98\x80");
  for (const char* text : {"\"\x80\"", "\"\xC0\x80\"", "\"\xE0\x80\x80\"", "\"\xED\xA0\x80\"",
                           "\"\xF4\x90\x80\x80\"", "\"\xFF\"", "\"\xC3\"", "{\"\xC3\":1}"}) {
    EXPECT_THAT(Refusal(text), HasSubstr("Invalid encoding")) << text;
  }
}

TEST(JsonDocumentTest, BoundsTheDepthWhateverTheText) {
  const std::string words = "JSON nesting depth exceeds maximum allowed limit (100)";
  EXPECT_EQ(Refusal(Nested(50)), "taken");
  EXPECT_EQ(Refusal(Nested(100)), "taken");
  EXPECT_EQ(Refusal(Nested(101)), words);
  EXPECT_EQ(Refusal(Nested(120)), words);
  EXPECT_EQ(Refusal(std::string(250'000, '[')), words);
  std::string objects;
  for (int i = 0; i < 250'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(Refusal(objects), words);
  // In what is left unread too.
  const std::string data = R"({"inputs":[{"data":)" + Nested(97) + "}]}";
  EXPECT_TRUE(ParseJson(data, true).ok());
  const std::string deeper = R"({"inputs":[{"data":)" + Nested(98) + "}]}";
  EXPECT_EQ(ParseJson(deeper, true).status().message(), words);
}

TEST(JsonDocumentTest, BoundsTheValuesOfATree) {
  const auto list = [](std::size_t count) {
    std::string text = "[0";
    for (std::size_t i = 1; i < count; ++i) text += ",0";
    return text + "]";
  };
  EXPECT_EQ(Refusal(list(kMaxJsonValues - 1)), "taken");
  EXPECT_THAT(Refusal(list(kMaxJsonValues)), HasSubstr("more than 65536 values"));
  const std::string data = R"({"inputs":[{"data":)" + list(kMaxJsonValues) + "}]}";
  EXPECT_TRUE(ParseJson(data, true).ok()) << "tensors' data does not count";
}

TEST(JsonDocumentTest, TheFirstOfTwoMembersCounts) {
  const JsonValue value = Parsed(R"({"a":1,"a":2})");
  EXPECT_EQ(*value.Find("a")->As<std::int64_t>(), 1);
  EXPECT_EQ(value.As<JsonValue::Object>()->size(), 2U);
}

TEST(JsonDocumentTest, LeavesOnlyTensorDataUnread) {
  const std::string text =
      R"({"data":[1],"inputs":[{"name":"a","data" : [[1,{"data":2}],"]"],"x":{"data":3}}, )"
      R"({"data":5}],"outputs":[{"data":[4]}]})";
  const auto value = ParseJson(text, true);
  ASSERT_TRUE(value.ok()) << value.status().message();
  const auto& inputs = *value->Find("inputs")->As<JsonValue::Array>();
  ASSERT_EQ(inputs.size(), 2U);
  const auto* first = inputs[0].Find("data")->As<JsonValue::Unread>();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(text.substr(first->offset, 7), " [[1,{\"");
  EXPECT_EQ(*inputs[0].Find("x")->Find("data")->As<std::int64_t>(), 3);
  const auto* second = inputs[1].Find("data")->As<JsonValue::Unread>();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(text.substr(second->offset, 2), "5}");
  EXPECT_NE(value->Find("data")->As<JsonValue::Array>(), nullptr);
  EXPECT_NE(
      value->Find("outputs")->As<JsonValue::Array>()->front().Find("data")->As<JsonValue::Array>(),
      nullptr);
  EXPECT_FALSE(ParseJson(R"({"inputs":[{"data" [1]}]})", true).ok());
  EXPECT_FALSE(ParseJson(R"({"inputs":[{"data":[1,]}]})", true).ok()) << "unread, but checked";
  EXPECT_FALSE(ParseJson(R"({"inputs":[{"data")", true).ok());
}

TEST(JsonNumberTest, SaysWhyATextIsNoNumberOfTheType) {
  std::int8_t small = 0;
  EXPECT_EQ(ReadJsonNumber("-128", small), JsonNumber::kOk);
  EXPECT_EQ(small, -128);
  EXPECT_EQ(ReadJsonNumber("128", small), JsonNumber::kOutOfRange);
  EXPECT_EQ(ReadJsonNumber("128.5", small), JsonNumber::kNotInteger);
  EXPECT_EQ(ReadJsonNumber("1e1", small), JsonNumber::kNotInteger);
  EXPECT_EQ(ReadJsonNumber("", small), JsonNumber::kNotInteger);
  std::uint64_t large = 0;
  EXPECT_EQ(ReadJsonNumber("-1", large), JsonNumber::kOutOfRange);
  EXPECT_EQ(ReadJsonNumber("-0", large), JsonNumber::kOk);
  EXPECT_EQ(ReadJsonNumber("18446744073709551616", large), JsonNumber::kOutOfRange);
  float real = 0;
  EXPECT_EQ(ReadJsonNumber("1e39", real), JsonNumber::kOutOfRange);
  EXPECT_EQ(ReadJsonNumber("-1e39", real), JsonNumber::kOutOfRange);
  EXPECT_EQ(ReadJsonNumber("1e-60", real), JsonNumber::kOk);
  EXPECT_EQ(real, 0.0F);
  // 1 + 2^-24 + 2^-60: to a double first and then to a float it would become 1.
  EXPECT_EQ(ReadJsonNumber("1.0000000596046447763", real), JsonNumber::kOk);
  EXPECT_EQ(real, std::nextafter(1.0F, 2.0F));
}

}  // namespace
}  // namespace xcloud
