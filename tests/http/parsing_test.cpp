// The small parsers: query, media type, request and trace ids, user agents, options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "http/endpoints/infer_options.h"
#include "http/media_type.h"
#include "http/query.h"
#include "http/request_ids.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(QueryTest, DecodesFieldsInOrder) {
  EXPECT_THAT(*ParseQuery("k=5&name=a%20b+c&flag&empty=&k=6"),
              ElementsAre(Pair("k", "5"), Pair("name", "a b c"), Pair("flag", ""),
                          Pair("empty", ""), Pair("k", "6")));
  EXPECT_THAT(*ParseQuery("a=b=c&%C3%A9=%26"), ElementsAre(Pair("a", "b=c"), Pair("é", "&")));
  EXPECT_TRUE(ParseQuery("")->empty());
  EXPECT_TRUE(ParseQuery("&&")->empty());
}

TEST(QueryTest, RefusesBrokenEscapes) {
  for (const char* query : {"%", "%4", "a=%zz", "a=1&b=%f", "%%41"}) {
    EXPECT_FALSE(ParseQuery(query).has_value()) << query;
  }
}

TEST(QueryTest, APathKeepsItsPlus) {
  EXPECT_EQ(PercentDecode("a+b%2B", false), "a+b+");
}

TEST(MediaTypeTest, ReadsValueAndParameters) {
  const auto type = ParseMediaType("Multipart/Form-Data ; Boundary=\"a;b \\\"c\"; charset=UTF-8");
  ASSERT_TRUE(type.has_value());
  EXPECT_EQ(type->value, "multipart/form-data");
  EXPECT_EQ(*type->Parameter("boundary"), "a;b \"c");
  EXPECT_EQ(*type->Parameter("charset"), "UTF-8");
  EXPECT_EQ(type->Parameter("none"), nullptr);
  EXPECT_EQ(ParseMediaType("image/png;")->value, "image/png");
}

TEST(MediaTypeTest, RefusesWhatIsMalformed) {
  for (const char* text : {"", ";a=b", "a/b; c", "a/b; c=\"open", "a/b; c=\"x\"y"}) {
    EXPECT_FALSE(ParseMediaType(text).has_value()) << text;
  }
}

TEST(RequestIdTest, IsSaneWhenShortAndVisible) {
  EXPECT_TRUE(IsSaneRequestId("a"));
  EXPECT_TRUE(IsSaneRequestId("!~/{}"));
  EXPECT_TRUE(IsSaneRequestId(std::string(128, 'x')));
  EXPECT_FALSE(IsSaneRequestId(""));
  EXPECT_FALSE(IsSaneRequestId(std::string(129, 'x')));
  EXPECT_FALSE(IsSaneRequestId("a b"));
  EXPECT_FALSE(IsSaneRequestId("a\x7f"));
  EXPECT_FALSE(IsSaneRequestId("\xC3\xA9"));
}

TEST(RequestIdTest, MadeIdsDiffer) {
  RandomIds first;
  RandomIds second;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(first.Next());
    seen.insert(second.Next());
  }
  EXPECT_EQ(seen.size(), 2000U);
  EXPECT_EQ(seen.begin()->size(), 32U);
}

TEST(TraceparentTest, GivesTheTraceId) {
  const std::string id = "0af7651916cd43dd8448eb211c80319c";
  EXPECT_EQ(TraceIdOf("00-" + id + "-b7ad6b7169203331-01"), id);
  EXPECT_EQ(TraceIdOf("cc-" + id + "-b7ad6b7169203331-01-more"), id) << "a later version";
}

TEST(TraceparentTest, IgnoresWhatIsMalformed) {
  const std::string id = "0af7651916cd43dd8448eb211c80319c";
  for (const std::string& header :
       {std::string(""), std::string("00-abc"), "00-" + id + "-b7ad6b7169203331-0",
        "00-" + id + "-b7ad6b7169203331-01-more", "ff-" + id + "-b7ad6b7169203331-01",
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        "00-" + std::string(32, '0') + "-b7ad6b7169203331-01", "00-" + id + "-0000000000000000-01",
        "00_" + id + "-b7ad6b7169203331-01"}) {
    EXPECT_EQ(TraceIdOf(header), "") << header;
  }
}

TEST(TerminalTypeTest, IsReadFromTheUserAgent) {
  EXPECT_EQ(TerminalTypeOf(""), TerminalType::kUnknown);
  EXPECT_EQ(TerminalTypeOf("curl/7.88.1"), TerminalType::kTool);
  EXPECT_EQ(TerminalTypeOf("python-requests/2.31"), TerminalType::kLibrary);
  EXPECT_EQ(TerminalTypeOf("PycURL/7.45 libcurl/7.88.1"), TerminalType::kLibrary);
  EXPECT_EQ(TerminalTypeOf("Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0"),
            TerminalType::kBrowser);
  EXPECT_EQ(TerminalTypeOf("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)"), TerminalType::kMobile);
  EXPECT_EQ(TerminalTypeOf("okhttp/4.12"), TerminalType::kLibrary);
}

TEST(InferOptionsTest, ReadsWhatItKnowsAndLeavesTheRest) {
  InferOptions options;
  ASSERT_TRUE(
      ApplyInferQuery("k=7&deadline_ms=250&explain=true&model_version=2&x=y", options).ok());
  EXPECT_EQ(options.top_k, 7);
  EXPECT_EQ(options.deadline_ms, 250);
  EXPECT_TRUE(options.explain);
  EXPECT_EQ(options.version, "2");
}

TEST(InferOptionsTest, BoundsArePartOfTheRange) {
  InferOptions options;
  EXPECT_TRUE(ApplyInferOption("k", "1", options).ok());
  EXPECT_TRUE(ApplyInferOption("k", "1000", options).ok());
  EXPECT_FALSE(ApplyInferOption("k", "1001", options).ok());
  EXPECT_TRUE(ApplyInferOption("deadline_ms", "3600000", options).ok());
  EXPECT_FALSE(ApplyInferOption("deadline_ms", "3600001", options).ok());
  EXPECT_FALSE(ApplyInferOption("deadline_ms", "1.5", options).ok());
  EXPECT_FALSE(ApplyInferOption("model_version", std::string(65, '1'), options).ok());
}

}  // namespace
}  // namespace xcloud
