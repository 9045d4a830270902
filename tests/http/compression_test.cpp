// Compressed bodies and answers over the wire.
#include "http/content_coding.h"
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

std::string Encode(ContentCoding coding, std::string_view body) {
  Deflater deflater(coding, body);
  while (deflater.Step()) {
  }
  return deflater.Take();
}

std::string Decode(ContentCoding coding, std::string_view body) {
  BodyPool pool;
  Inflater inflater(coding, body, 1 << 24, pool);
  Inflater::State state = Inflater::State::kMore;
  while (state == Inflater::State::kMore) state = inflater.Step();
  return state == Inflater::State::kDone ? std::string(inflater.Take().view()) : "not decoded";
}

class CompressionTest : public ServerFixture {
 protected:
  // So many services that their list is worth compressing.
  void AddServices() {
    for (int i = 0; i < 30; ++i) {
      ServiceInfo info;
      info.name = "service" + std::to_string(i);
      service_.AddService(info);
    }
  }
  static std::string Predict(const std::string& coding, const std::string& body) {
    return Post("/predictions/demo", "Content-Encoding: " + coding + "\r\n", body);
  }
  std::string LastPhoto() { return std::string(service_.requests().back().image.view()); }
  std::uint64_t CopiedBytes() {
    return metrics_.GetCounter("xcloud_body_bytes_total", "", {{"path", "copied"}}).value();
  }
};

TEST_F(CompressionTest, BodiesAreDecoded) {
  Start();
  const std::string photo(100'000, 'p');
  const std::pair<const char*, ContentCoding> codings[] = {{"gzip", ContentCoding::kGzip},
                                                           {"X-GZip", ContentCoding::kGzip},
                                                           {"deflate", ContentCoding::kDeflate}};
  for (const auto& [name, coding] : codings) {
    const RawReply reply = Ask(Predict(name, Encode(coding, photo)));
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_TRUE(LastPhoto() == photo) << name;
  }
  EXPECT_EQ(Ask(Predict("identity", "plain")).status, 200);
  EXPECT_EQ(LastPhoto(), "plain");
}

TEST_F(CompressionTest, APhotoAtCvMayBeCompressedToo) {
  Start();
  const std::string photo(1000, 'p');
  const std::string body = Encode(ContentCoding::kGzip, photo);
  const std::string headers = "Content-Type: image/bmp\r\nContent-Encoding: gzip\r\n";
  const RawReply reply = Ask(Post("/cv/demo", headers, body));
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(LastPhoto(), photo);
}

TEST_F(CompressionTest, ChunkedAndCompressedTogether) {
  Start();
  const std::string body = Encode(ContentCoding::kGzip, "photo");
  char size[16];
  std::snprintf(size, sizeof(size), "%zx\r\n", body.size());
  const RawReply reply =
      Ask("POST /predictions/demo HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\n"
          "Transfer-Encoding: chunked\r\n\r\n" +
          std::string(size) + body + "\r\n0\r\n\r\n");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(LastPhoto(), "photo");
}

TEST_F(CompressionTest, DecodedBytesCountAsCopied) {
  Start();
  RawClient client(port());
  const std::string photo(200'000, 'p');
  const std::string body = Encode(ContentCoding::kGzip, photo);
  EXPECT_EQ(client.Ask(Predict("gzip", body)).status, 200);
  EXPECT_GE(CopiedBytes(), photo.size());
  EXPECT_LE(CopiedBytes(), photo.size() + body.size());
}

TEST_F(CompressionTest, UnknownCodingsAre415BeforeTheBodyIsRead) {
  Start();
  RawClient client(port());
  client.Send(
      "POST /predictions/demo HTTP/1.1\r\nHost: t\r\nContent-Encoding: br\r\n"
      "Content-Length: 100\r\n\r\n");
  const RawReply reply = client.Receive();
  EXPECT_EQ(reply.status, 415);
  EXPECT_THAT(reply.body, HasSubstr("gzip, deflate"));
  EXPECT_EQ(service_.admit_calls(), 0U);
  EXPECT_EQ(Ask(Predict("gzip, deflate", "x")).status, 415);
}

TEST_F(CompressionTest, BodiesThatAreNotWhatTheySayAre400) {
  Start();
  const std::string body = Encode(ContentCoding::kGzip, std::string(1000, 'x'));
  EXPECT_THAT(Ask(Predict("gzip", body.substr(0, 20))).body, HasSubstr("ends too early"));
  EXPECT_EQ(Ask(Predict("gzip", body.substr(0, 20))).status, 400);
  EXPECT_EQ(Ask(Predict("gzip", "no gzip at all")).status, 400);
  EXPECT_EQ(Ask(Predict("deflate", body)).status, 400);
  RawClient client(port());
  EXPECT_EQ(client.Ask(Predict("gzip", "garbage")).status, 400);
  EXPECT_EQ(client.Ask(Get("/livez")).status, 200) << "the connection goes on";
}

TEST_F(CompressionTest, TheLimitIsOfWhatTheBodySays) {
  config_.body_limit_bytes = 1'000'000;
  Start();
  EXPECT_EQ(Ask(Predict("gzip", Encode(ContentCoding::kGzip, std::string(1'000'000, 0)))).status,
            200);
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const std::string name(ContentCodingName(coding));
    const RawReply over = Ask(Predict(name, Encode(coding, std::string(1'000'001, 0))));
    EXPECT_EQ(over.status, 413) << over.body;
    EXPECT_THAT(over.body, HasSubstr("1000000"));
  }
  EXPECT_EQ(service_.requests().size(), 1U);
}

// 64 MiB over a limit of 64 MiB, from some 300 KB: and the server lives on.
TEST_F(CompressionTest, BombsAre413) {
  constexpr std::size_t kLimit = 64 << 20;
  config_.body_limit_bytes = kLimit;
  Start();
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const std::string bomb = Encode(coding, std::string(kLimit + 1, 0));
    ASSERT_LT(bomb.size(), 400'000U);
    EXPECT_EQ(Ask(Predict(std::string(ContentCodingName(coding)), bomb)).status, 413);
  }
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
}

TEST_F(CompressionTest, DecodedBytesAreOfTheBudgetOfAllBodies) {
  config_.bodies_limit_bytes = 1'000'000;
  Start();
  const RawReply reply =
      Ask(Predict("gzip", Encode(ContentCoding::kGzip, std::string(2'000'000, 0))));
  EXPECT_EQ(reply.status, 503) << reply.body;
  EXPECT_EQ(Ask(Predict("gzip", Encode(ContentCoding::kGzip, "photo"))).status, 200)
      << "what was taken was given back";
}

TEST_F(CompressionTest, AnswersAreCompressedForWhoeverAsks) {
  AddServices();
  Start();
  const RawReply plain = Ask(Get("/api/services"));
  EXPECT_EQ(plain.Header("content-encoding"), "");
  EXPECT_EQ(plain.Header("vary"), "Accept-Encoding");
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const std::string name(ContentCodingName(coding));
    const RawReply reply = Ask(Get("/api/services", "Accept-Encoding: " + name + "\r\n"));
    EXPECT_EQ(reply.Header("content-encoding"), name);
    EXPECT_EQ(reply.Header("vary"), "Accept-Encoding");
    EXPECT_LT(reply.body.size(), plain.body.size() / 4);
    EXPECT_EQ(Decode(coding, reply.body), plain.body);
  }
  const RawReply unwanted = Ask(Get("/api/services", "Accept-Encoding: gzip;q=0, br\r\n"));
  EXPECT_EQ(unwanted.body, plain.body);
}

TEST_F(CompressionTest, HeadHasTheHeadersOfGet) {
  AddServices();
  Start();
  RawClient client(port());
  const std::string header = "Accept-Encoding: gzip\r\n";
  const RawReply get = client.Ask(Get("/api/services", header));
  const RawReply head =
      client.Ask("HEAD /api/services HTTP/1.1\r\nHost: test\r\n" + header + "\r\n", true);
  EXPECT_EQ(head.Header("content-encoding"), "gzip");
  EXPECT_EQ(head.Header("content-length"), get.Header("content-length"));
  EXPECT_EQ(client.Ask(Get("/livez")).body, "{\"live\":true}");
}

TEST_F(CompressionTest, SmallAnswersErrorsAndTaggedPagesStayAsTheyAre) {
  Start();
  const std::string header = "Accept-Encoding: gzip\r\n";
  EXPECT_EQ(Ask(Get("/livez", header)).Header("content-encoding"), "");
  const RawReply missing = Ask(Get("/" + std::string(3000, 'x'), header));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.Header("content-encoding"), "");
  const RawReply page = Ask(Get("/", header));
  EXPECT_NE(page.Header("etag"), "");
  EXPECT_EQ(page.Header("content-encoding"), "");
}

// tritonclient's asyncio client sends Accept-Encoding with each request and decodes only /infer.
TEST_F(CompressionTest, BelowV2OnlyInferIsCompressed) {
  AddServices();
  Start();
  const RawReply index =
      Ask(Post("/v2/repository/index", "Accept-Encoding: gzip, deflate\r\n", ""));
  EXPECT_EQ(index.status, 200);
  EXPECT_GT(index.body.size(), 1024U);
  EXPECT_EQ(index.Header("content-encoding"), "");
}

TEST_F(CompressionTest, WhoRefusesThePlainAnswerGetsItCompressedHoweverSmall) {
  Start();
  const RawReply small = Ask(Get("/livez", "Accept-Encoding: identity;q=0, gzip\r\n"));
  EXPECT_EQ(small.status, 200);
  EXPECT_EQ(small.Header("content-encoding"), "gzip");
  EXPECT_EQ(Decode(ContentCoding::kGzip, small.body), "{\"live\":true}");
  const std::string only_gzip = "Accept-Encoding: identity;q=0, gzip\r\n";
  for (const std::string& request :
       {Get("/", only_gzip), Get("/v2", only_gzip), Post("/v2/repository/index", only_gzip, ""),
        PostImage("/cv/none", only_gzip)}) {
    const RawReply reply = Ask(request);
    EXPECT_EQ(reply.Header("content-encoding"), "gzip") << request;
    EXPECT_EQ(reply.Header("vary"), "Accept-Encoding");
    EXPECT_EQ(reply.Header("etag"), "") << "that of the plain page";
    EXPECT_NE(Decode(ContentCoding::kGzip, reply.body), "not decoded");
  }
  const RawReply none = Ask(Get("/livez", "Accept-Encoding: *;q=0\r\n"));
  ExpectError(none, 406, 406, "gzip");
  EXPECT_EQ(Ask(Get("/livez", "Accept-Encoding: br\r\n")).status, 200);
}

}  // namespace
}  // namespace xcloud
