// The protocol's own pieces: chunked bodies, request heads, routes, error mapping, answer heads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/chunked_decoder.h"
#include "http/head_parser.h"
#include "http/response.h"
#include "http/router.h"
#include "http/status_mapping.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using State = ChunkedDecoder::State;

State Decode(std::string_view in, std::string& out, std::uint64_t limit = 1 << 20) {
  ChunkedDecoder decoder(limit);
  decoder.Feed(in, out);
  return decoder.state();
}

TEST(ChunkedDecoderTest, DecodesHoweverTheInputIsSplit) {
  const std::string in = "5\r\nhello\r\n001;ext=\"v\"\r\n!\r\n0 \r\nT: 1\r\nU: 2\r\n\r\nNEXT";
  for (std::size_t split = 0; split <= in.size(); ++split) {
    ChunkedDecoder decoder(100);
    std::string out;
    std::size_t taken = decoder.Feed(in.substr(0, split), out);
    taken += decoder.Feed(std::string_view(in).substr(taken), out);
    EXPECT_EQ(decoder.state(), State::kDone) << split;
    EXPECT_EQ(out, "hello!") << split;
    EXPECT_EQ(in.substr(taken), "NEXT") << split;
  }
}

TEST(ChunkedDecoderTest, RefusesWhatIsMalformed) {
  for (const std::string in :
       {"x\r\n", "\r\n", ";a\r\n", "1\rx", "1\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\rx", "-1\r\n",
        "1 \n", "0\r\nA\n", "0\r\n\rx", "1000000000000000\r\n", "0x1\r\n"}) {
    std::string out;
    EXPECT_EQ(Decode(in, out), State::kMalformed) << in;
  }
  std::string out;
  EXPECT_EQ(Decode("1;" + std::string(20'000, 'e'), out), State::kMalformed) << "endless extension";
  EXPECT_EQ(Decode("0\r\n" + std::string(20'000, 't'), out), State::kMalformed)
      << "endless trailer";
}

TEST(ChunkedDecoderTest, StopsAtTheLimit) {
  std::string out;
  EXPECT_EQ(Decode("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", out, 5), State::kDone);
  EXPECT_EQ(Decode("3\r\nabc\r\n3\r\n", out, 5), State::kTooLarge);
  EXPECT_EQ(Decode("fffffffffffffff\r\n", out, 5), State::kTooLarge);
}

TEST(HeadParserTest, ReadsAHeadHoweverItIsSplit) {
  const std::string in =
      "\r\nPOST /cv/x?k=1 HTTP/1.1\r\nHost: t\r\ncontent-length: 3\r\nX-A: b\r\n\r\nabc";
  for (std::size_t split = 0; split <= in.size() - 3; ++split) {
    HeadParser parser(4096);
    std::size_t taken = parser.Feed(std::string_view(in).substr(0, split));
    if (parser.state() == HeadParser::State::kMore) {
      taken += parser.Feed(std::string_view(in).substr(taken));
    }
    ASSERT_EQ(parser.state(), HeadParser::State::kDone) << split;
    EXPECT_EQ(in.substr(taken), "abc") << split;
    const RequestHead& head = parser.head();
    EXPECT_EQ(head.verb, Verb::kPost);
    EXPECT_EQ(head.target, "/cv/x?k=1");
    EXPECT_EQ(head.content_length, 3U);
    EXPECT_EQ(head.Header("x-a"), "b");
    EXPECT_EQ(head.Header("X-None"), "");
    EXPECT_TRUE(head.keep_alive);
    EXPECT_FALSE(head.chunked);
  }
}

TEST(HeadParserTest, CountsTheLimitOverTheWholeHead) {
  HeadParser parser(100);
  const std::string line = "A: " + std::string(30, 'a') + "\r\n";
  std::string rest = "GET / HTTP/1.1\r\nHost: t\r\n";
  rest.erase(0, parser.Feed(rest));
  for (int i = 0; i < 3 && parser.state() == HeadParser::State::kMore; ++i) {
    rest += line;
    rest.erase(0, parser.Feed(rest));
  }
  ASSERT_EQ(parser.state(), HeadParser::State::kRefused);
  EXPECT_EQ(parser.refusal().status, 431);
}

// Found by tests/fuzz: Beast waited for the rest of the first line, or, in pieces, missed the end
// that it had already seen, so the client learnt from a timeout what was wrong.
TEST(HeadParserTest, RefusesAHeadThatEndsWithinItsFirstLine) {
  for (const std::string wire : {"GET / \r\n\r\n", "PUT / \r\n\r\nHTTP/1.,1\r\nHost: a"}) {
    for (std::size_t split = 0; split <= wire.size(); ++split) {
      HeadParser parser(4096);
      const std::size_t taken = parser.Feed(wire.substr(0, split));
      if (parser.state() == HeadParser::State::kMore) parser.Feed(wire.substr(taken));
      ASSERT_EQ(parser.state(), HeadParser::State::kRefused) << wire << split;
      // 505 where what stands for the version is read before the end is seen.
      EXPECT_THAT(parser.refusal().status, ::testing::AnyOf(400, 505));
    }
  }
}

TEST(HeadParserTest, AnEmptyExpectIsNoExpectation) {
  HeadParser parser(4096);
  parser.Feed("POST / HTTP/1.1\r\nHost: t\r\nExpect:\r\nContent-Length: 1\r\n\r\n");
  ASSERT_EQ(parser.state(), HeadParser::State::kDone);
  EXPECT_FALSE(parser.head().expects_continue);
}

constexpr Route kTable[] = {
    {Verb::kGet, "/", nullptr, "root"},
    {Verb::kGet, "/a/{x}", nullptr, "a"},
    {Verb::kPost, "/a/{x}", nullptr, "post a"},
    {Verb::kGet, "/a/b/c", nullptr, "abc"},
};

TEST(RouterTest, TellsUnknownPathsFromWrongMethods) {
  const Router router(kTable);
  EXPECT_EQ(router.Match(Verb::kGet, "/").route->name, "root");
  EXPECT_EQ(router.Match(Verb::kGet, "/a/1").route->name, "a");
  EXPECT_EQ(router.Match(Verb::kHead, "/a/1").route->name, "a");
  EXPECT_EQ(router.Match(Verb::kPost, "/a/1").parameters[0], "1");
  EXPECT_EQ(router.Match(Verb::kGet, "/a/b/c").route->name, "abc");
  const RouteMatch wrong = router.Match(Verb::kPut, "/a/1");
  EXPECT_EQ(wrong.route, nullptr);
  EXPECT_EQ(wrong.allow, "GET, HEAD, POST");
  for (const char* path : {"", "a", "/a", "/a/", "//", "/a//", "/a/b/c/d", "/a/b/"}) {
    const RouteMatch none = router.Match(Verb::kGet, path);
    EXPECT_EQ(none.route, nullptr) << path;
    EXPECT_EQ(none.allow, "") << path;
  }
}

TEST(StatusMappingTest, EveryStatusHasARow) {
  const std::pair<StatusCode, int> expected[] = {
      {StatusCode::kInvalidArgument, 400},  {StatusCode::kUnsupportedMedia, 415},
      {StatusCode::kTooLarge, 413},         {StatusCode::kNotFound, 404},
      {StatusCode::kAlreadyExists, 409},    {StatusCode::kUnauthenticated, 401},
      {StatusCode::kPermissionDenied, 403}, {StatusCode::kOverloaded, 429},
      {StatusCode::kUnavailable, 503},      {StatusCode::kDeadlineExceeded, 504},
      {StatusCode::kCancelled, 499},        {StatusCode::kUnsupported, 501},
      {StatusCode::kInternal, 500},
  };
  ASSERT_EQ(std::size(expected), static_cast<std::size_t>(StatusCode::kInternal));
  for (const auto& [code, http] : expected) {
    const HttpError error = ToHttpError(Status(code, "why"));
    EXPECT_EQ(error.status, http) << StatusCodeName(code);
    EXPECT_EQ(error.message, "why");
    EXPECT_NE(error.code, 0);
  }
}

TEST(ResponseTest, ErrorsHaveTheOriginalsForm) {
  HttpError error = MakeHttpError(404, "no \"x\"");
  const Response response = ErrorResponse(error, std::chrono::microseconds(1500));
  EXPECT_EQ(response.body, R"({"code":404,"msg":"no \"x\"","data":null,"elapse":0.0015})");
  EXPECT_TRUE(response.headers.empty());
}

TEST(ResponseTest, TheHeadIsComplete) {
  Response response = JsonResponse("{}");
  response.headers.emplace_back("X-A", "b");
  HeadOptions options;
  options.keep_alive = false;
  options.request_id = "id";
  options.now = WallTime(std::chrono::seconds(784111777));
  EXPECT_EQ(SerializeHead(response, options),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n"
            "X-Content-Type-Options: nosniff\r\nX-Request-Id: id\r\nX-A: b\r\n"
            "Connection: close\r\n\r\n");
}

}  // namespace
}  // namespace xcloud
