// A photo by its URL: fetched as a stage of the request, without the io thread, never for longer
// than somebody waits for it. What the fetcher itself refuses is tested in tests/http/fetch.
#include "http/status_mapping.h"
#include "tests/http/photo_url_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class PhotoUrlTest : public PhotoUrlFixture {};

TEST_F(PhotoUrlTest, TheServiceGetsTheBytesBehindTheUrlInEveryForm) {
  Start();
  const std::string url = Url("/photo");
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  for (const std::string& request :
       {PostUrl(url), PostJson("/cv/mcloud/demo", R"({"image":")" + url + R"("})"),
        PostForm("/cv/demo", FormPart("imgurl", url) + "--B--"),
        PostForm("/cv/demo", FormPart("image", "", "none.jpg") + FormPart("image", url) + "--B--"),
        Post("/cv/demo", form, "k=1&imgurl=" + url), Post("/cv/demo", form, "image=" + url)}) {
    const std::size_t before = service_.requests().size();
    const RawReply reply = Ask(request);
    EXPECT_EQ(reply.status, 200) << request << reply.body;
    ASSERT_EQ(service_.requests().size(), before + 1);
    EXPECT_EQ(service_.requests().back().image, "photo") << request;
  }
  EXPECT_EQ(host_.requests().size(), 6U);
}

TEST_F(PhotoUrlTest, TheDownloadIsPartOfTheTimesThatAreTold) {
  Start();
  const RawReply reply = Ask(PostUrl(Url("/photo"), R"(,"explain":true)"));
  const Json body = Json::parse(reply.body);
  const double fetch_ms = body["explain"]["fetch_ms"];
  EXPECT_GT(fetch_ms, 0);
  EXPECT_GE(body["elapse"].get<double>() * 1000, fetch_ms);
  EXPECT_GE(body["explain"]["total_ms"], fetch_ms);
  EXPECT_THAT(reply.Header("server-timing"), StartsWith("fetch;dur="));
  EXPECT_THAT(Ask(PostImage()).Header("server-timing"), StartsWith("decode;dur="));
  EXPECT_GE(call_log_.WaitFor(1)[0].elapse_ms, fetch_ms);
}

TEST_F(PhotoUrlTest, IsOffUntilHostsAreAllowed) {
  fetch_.allow = {};
  Start();
  ExpectError(Ask(PostUrl(Url("/photo"))), 403, 403, "imgurl is off");
  EXPECT_EQ(Ask(PostImage()).status, 200) << "every other form works";
  EXPECT_EQ(host_.accepted(), 0U);
}

TEST_F(PhotoUrlTest, EachFailureIsTheFaultOfWhoCanActOnIt) {
  fetch_.max_bytes = 1000;
  Start();
  const auto ask = [&](const std::string& path) { return Ask(PostUrl(Url(path))); };
  ExpectError(Ask(PostUrl("http://elsewhere.example.net/a.jpg")), 403, 403, "not allowed");
  ExpectError(Ask(PostUrl("ftp://photos.example.org/a.jpg")), 400, 1, "http");
  ExpectError(Ask(PostUrl("no URL")), 400, 1, "URL");
  ExpectError(ask("/status?404"), 400, 1, "404");
  ExpectError(ask("/status?500"), 400, 1, "500");
  ExpectError(ask("/early"), 400, 1);
  ExpectError(ask("/garbage"), 400, 1);
  ExpectError(ask("/nothing"), 400, 1);
  ExpectError(ask("/size?0"), 400, 1, "empty");
  ExpectError(ask("/size?1001"), 413, 413);
  EXPECT_TRUE(service_.requests().empty());
  const auto rows = call_log_.WaitFor(10);
  EXPECT_EQ(rows[3].http_status, 400);
  EXPECT_EQ(rows[3].code, 1);
  EXPECT_EQ(rows[3].model, "demo");
}

TEST_F(PhotoUrlTest, AnAddressThatIsNotPublicIsRefused) {
  host_allowed_ = false;
  Start();
  ExpectError(Ask(PostUrl(Url("/photo"))), 400, 1, "public internet");
  EXPECT_EQ(host_.accepted(), 0U);
}

TEST_F(PhotoUrlTest, ASlowHostIs504) {
  fetch_.timeout_ms = 20;
  Start();
  ExpectError(Ask(PostUrl(Url("/silent"))), 504, 504, "20 ms");
}

TEST_F(PhotoUrlTest, TheDeadlineEndsTheDownload) {
  Start();
  const RawReply reply = Ask(PostUrl(Url("/silent"), R"(,"deadline_ms":100)"));
  ExpectError(reply, 504, 504, "deadline");
  EXPECT_GE(Json::parse(reply.body)["elapse"].get<double>(), 0.1);
  EXPECT_TRUE(host_.WaitGone(host_.accepted())) << "nothing goes on behind it";
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(PhotoUrlTest, TheServicesGoalDoesNotCountTheDownload) {
  ServiceInfo info;
  info.name = "goal";
  info.latency_goal = std::chrono::seconds(7);
  service_.AddService(info);
  Start();
  const auto budget = [&](const std::string& more) {
    EXPECT_EQ(Ask(PostUrl(Url("/photo"), more, "/cv/goal")).status, 200);
    const InferenceRequest request = service_.requests().back();
    return request.deadline.when() - request.first_byte;
  };
  EXPECT_GT(budget(""), std::chrono::seconds(7)) << "by what the download took";
  EXPECT_EQ(budget(R"(,"deadline_ms":9000)"), std::chrono::seconds(9)) << "what is named does";
  EXPECT_EQ(budget(R"(,"timeout":5000000)"), std::chrono::seconds(5)) << "and so does this";
}

TEST_F(PhotoUrlTest, TheIoThreadServesOthersMeanwhile) {
  ASSERT_EQ(config_.io_threads, 1);
  Start();
  RawClient waiting(port());
  waiting.Send(PostUrl(Url("/hold")));
  ASSERT_TRUE(host_.WaitRequests(1));
  EXPECT_EQ(Ask(PostImage()).status, 200);
  host_.Release();
  EXPECT_EQ(waiting.Receive().status, 200);
}

TEST_F(PhotoUrlTest, AClientThatGoesEndsTheDownload) {
  Start();
  RawClient client(port());
  client.Send(PostUrl(Url("/silent")));
  ASSERT_TRUE(host_.WaitRequests(1));
  client.Close();
  EXPECT_TRUE(host_.WaitGone(1));
  EXPECT_EQ(call_log_.WaitFor(1)[0].http_status, kStatusClientGone);
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(PhotoUrlTest, AServerThatStopsEndsTheDownload) {
  Start();
  RawClient client(port());
  client.Send(PostUrl(Url("/silent")));
  ASSERT_TRUE(host_.WaitRequests(1));
  server_->Stop();
  EXPECT_TRUE(host_.WaitGone(1));
}

TEST_F(PhotoUrlTest, NothingIsFetchedForWhoIsNotAdmitted) {
  Start();
  Ask(PostUrl(Url("/photo")));
  EXPECT_EQ(service_.admit_calls(), 2U) << "at the header, and once the form is read";
  service_.SetAdmit(Status::Overloaded("full", std::chrono::milliseconds(5)));
  ExpectError(Ask(PostUrl(Url("/photo"))), 429, 429, "full");
  EXPECT_EQ(host_.requests().size(), 1U);
}

TEST_F(PhotoUrlTest, TheServicesTellThatItIsOn) {
  Start();
  const Json list = Json::parse(Ask(Get("/api/services")).body);
  ASSERT_FALSE(list.empty());
  for (const Json& service : list) EXPECT_EQ(service["imgurl"], true);
  EXPECT_EQ(Json::parse(Ask(Get("/api/services/demo")).body)["imgurl"], true);
}

TEST_F(PhotoUrlTest, AFetchedPhotoCountsAmongTheBytesOfBodies) {
  config_.bodies_limit_bytes = 5000;
  Start();
  const RawReply reply = Ask(PostUrl(Url("/size?5000")));
  ExpectError(reply, 503, 503, "as many bytes");
  EXPECT_EQ(reply.Header("retry-after"), "1");
  EXPECT_THAT(Ask(Get("/metrics")).body,
              ::testing::HasSubstr("xcloud_fetches_total{outcome=\"overloaded\"} 1\n"))
      << "while it comes: it is not held first and counted then";
  EXPECT_EQ(Ask(PostUrl(Url("/size?4000"))).status, 200);
  EXPECT_EQ(Ask(PostUrl(Url("/size?4000"))).status, 200) << "and is given back";
}

}  // namespace
}  // namespace xcloud
