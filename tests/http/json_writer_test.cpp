#include "http/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace xcloud {
namespace {

std::string Text(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

std::string Number(double value, int decimals) {
  std::string out;
  AppendFixed(out, value, decimals);
  return out;
}

TEST(JsonWriterTest, PlacesCommasBetweenValues) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("a").Integer(-1).Key("b").BeginArray();
  json.BeginObject().EndObject().BeginArray().EndArray().String("x").Null().Bool(true).EndArray();
  json.Key("c").Fixed(0.5, 4).Key("d").BeginObject().Key("e").Bool(false).EndObject().EndObject();
  EXPECT_EQ(out, R"({"a":-1,"b":[{},[],"x",null,true],"c":0.5,"d":{"e":false}})");
}

TEST(JsonWriterTest, EscapesWhatJsonDemandsAndNothingElse) {
  EXPECT_EQ(Text("a\"b\\c/"), R"("a\"b\\c/")");
  EXPECT_EQ(Text("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(Text(std::string("\0\x1f", 2)), "\"\\u0000\\u001f\"");
  EXPECT_EQ(Text("pâté 植物 \xF0\x9F\x90\xB1"), "\"pâté 植物 \xF0\x9F\x90\xB1\"");
}

TEST(JsonWriterTest, ReplacesInvalidUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Text("a\xFFz"), "\"a" + r + "z\"");
  EXPECT_EQ(Text("\xC3"), "\"" + r + "\"") << "cut off";
  EXPECT_EQ(Text("\xC0\xAF"), "\"" + r + r + "\"") << "overlong";
  EXPECT_EQ(Text("\xE0\x80\xAF"), "\"" + r + r + r + "\"") << "overlong";
  EXPECT_EQ(Text("\xED\xA0\x80"), "\"" + r + r + r + "\"") << "surrogate";
  EXPECT_EQ(Text("\xF4\x90\x80\x80"), "\"" + r + r + r + r + "\"") << "beyond U+10FFFF";
  EXPECT_EQ(Text("\xF0\x9F\x90"), "\"" + r + r + r + "\"") << "cut off";
}

TEST(JsonWriterTest, AnyBytesGiveValidJson) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string written = Text(bytes);
    EXPECT_TRUE(nlohmann::json::accept(written)) << written;
  }
}

TEST(JsonWriterTest, RoundsToTheDecimals) {
  EXPECT_EQ(Number(0.91235, 4), "0.9123") << "0.91235 is a little less in binary";
  EXPECT_EQ(Number(0.5, 4), "0.5");
  EXPECT_EQ(Number(1, 4), "1.0");
  EXPECT_EQ(Number(0, 4), "0.0");
  EXPECT_EQ(Number(0.00004, 4), "0.0");
  EXPECT_EQ(Number(0.99996, 4), "1.0");
  EXPECT_EQ(Number(12, 0), "12.0");
  EXPECT_EQ(Number(-1.25, 1), "-1.2");
  EXPECT_EQ(Number(double{0.9123F}, 4), "0.9123") << "a float's own digits do not show";
  EXPECT_EQ(Number(0.1, 40), Number(0.1, 17));
}

TEST(JsonWriterTest, WhatIsNoNumberIsNull) {
  EXPECT_EQ(Number(std::nan(""), 4), "null");
  EXPECT_EQ(Number(std::numeric_limits<double>::infinity(), 4), "null");
  EXPECT_EQ(Number(std::numeric_limits<double>::max(), 17).size(), 309U + 2U);
}

}  // namespace
}  // namespace xcloud
