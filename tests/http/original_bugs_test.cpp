// The bugs of the first XCloud, each a test that would have found it. Not here: labels that keep
// their line break (tests/models/labels_test.cpp), and those of parts to come: x and y swapped in
// face crops, the index of cbir (part 4), SQL and statskin (part 5).
#include "tests/http/photo_url_fixture.h"
#include "tests/support/base64_text.h"

namespace xcloud {
namespace {

class OriginalBugsTest : public PhotoUrlFixture {
 protected:
  // The answer's items, which do not change from call to call.
  static Json DataOf(const RawReply& reply) {
    const Json body = Json::parse(reply.body, nullptr, false);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return body.is_object() ? body["data"] : Json();
  }
};

// Its base64 was read as an array of floats and never decoded: every answer was code 1.
TEST_F(OriginalBugsTest, Base64IsReallyDecoded) {
  Start();
  Ask(PostJson("/cv/demo", R"({"image":")" + ToBase64("a photo's bytes") + R"("})"));
  ASSERT_EQ(service_.requests().size(), 1U);
  EXPECT_EQ(service_.requests()[0].image, "a photo's bytes");
}

// Its downloads reached the network in another colour order and type than its uploads.
TEST_F(OriginalBugsTest, AUrlGivesTheAnswerOfTheSameBytesPosted) {
  Start();
  const Json posted = DataOf(Ask(PostImage()));
  const Json fetched = DataOf(Ask(PostUrl(Url("/photo"))));
  EXPECT_EQ(fetched, posted);
  const auto requests = service_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].image, requests[0].image.view());
}

TEST_F(OriginalBugsTest, AnUploadThatCannotBeDecodedIsNoServerError) {
  service_.answer.status = Status::InvalidArgument("the image is cut off");
  Start();
  ExpectError(Ask(PostImage()), 400, 1, "cut off");
}

TEST_F(OriginalBugsTest, ADownloadThatFailsIsNoServerError) {
  Start();
  ExpectError(Ask(PostUrl(Url("/status?404"))), 400, 1, "404");
  ExpectError(Ask(PostUrl(Url("/garbage"))), 400, 1);
}

// It told 0 seconds for what it refused.
TEST_F(OriginalBugsTest, TheElapsedTimeOfAnErrorIsReal) {
  Start();
  const RawReply late = Ask(PostUrl(Url("/silent"), R"(,"deadline_ms":50)"));
  ExpectError(late, 504, 504);
  EXPECT_GE(Json::parse(late.body)["elapse"].get<double>(), 0.05);
  const RawReply missing = Ask(PostForm("/cv/demo", FormPart("photo", "x") + "--B--"));
  ExpectError(missing, 400, 1);
  EXPECT_GT(Json::parse(missing.body)["elapse"].get<double>(), 0);
}

// It answered 200 whatever had happened, and called its JSON text/html.
TEST_F(OriginalBugsTest, TheStatusAndTheTypeTellWhatTheBodyIs) {
  Start();
  const RawReply good = Ask(PostImage());
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.Header("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(Json::parse(good.body)["code"], 0);
  ExpectError(Ask(PostJson("/cv/demo", "{}")), 400, 1, "Invalid Image");
  const RawReply removed = Ask("DELETE /cv/demo HTTP/1.1\r\nHost: t\r\n\r\n");
  ExpectError(removed, 405, 2, "POST");
  EXPECT_EQ(removed.Header("allow"), "POST, PUT, GET, HEAD");
}

// Its patterns had no end, so /cv/foodX was /cv/food.
TEST_F(OriginalBugsTest, ARouteMatchesTheWholePath) {
  Start();
  for (const char* path : {"/cv/demoX", "/cv/dem", "/cv/demo/", "/cv/demo/x", "/cv/mcloud/demoX",
                           "/cv/mcloud/demo/x", "/x/cv/demo", "/cvdemo", "/cv/DEMO"}) {
    ExpectError(Ask(PostImage(path)), 404, 404);
  }
  EXPECT_TRUE(service_.requests().empty());
}

// It stored each upload under the name that the client gave.
TEST_F(OriginalBugsTest, TheClientsFileNameIsOfNoUse) {
  Start();
  const std::string name = "../../../../tmp/x.jpg";
  const RawReply reply = Ask(PostForm("/cv/demo", FormPart("image", "bytes", name) + "--B--"));
  EXPECT_EQ(DataOf(reply), DataOf(Ask(PostImage())));
  EXPECT_EQ(service_.requests()[0].image, "bytes");
  EXPECT_EQ(reply.body.find("x.jpg"), std::string::npos);
  for (const auto& [header, value] : reply.headers) {
    EXPECT_EQ(value.find("x.jpg"), std::string::npos) << header;
  }
}

}  // namespace
}  // namespace xcloud
