// Which path and method goes where, and what the plain endpoints say.
#include "http/web_assets.h"
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class RoutesTest : public ServerFixture {};

TEST_F(RoutesTest, AnUnknownPathIs404) {
  Start();
  ExpectError(Ask(Get("/nothing")), 404, 404, "/nothing");
  ExpectError(Ask(Get("/cv/")), 404, 404);
  ExpectError(Ask(Get("/cv/demo/more")), 404, 404);
  ExpectError(Ask(Get("/livez/")), 404, 404);
}

TEST_F(RoutesTest, AKnownPathWithAnotherMethodIs405AndSaysWhichItTakes) {
  Start();
  const RawReply reply = Ask(Post("/livez", "", ""));
  ExpectError(reply, 405, 2, "GET, HEAD");
  EXPECT_EQ(reply.Header("allow"), "GET, HEAD");
  const RawReply remove = Ask("DELETE /cv/demo HTTP/1.1\r\nHost: t\r\n\r\n");
  ExpectError(remove, 405, 2);
  EXPECT_EQ(remove.Header("allow"), "POST, PUT, GET, HEAD");
}

TEST_F(RoutesTest, TheAliasOfTheFirstXCloudLeadsToTheSameService) {
  Start();
  EXPECT_EQ(Ask(PostImage("/cv/mcloud/demo")).status, 200);
  EXPECT_EQ(service_.requests().back().service, "demo");
  EXPECT_EQ(call_log_.WaitFor(1)[0].api_name, "cv/demo");
  EXPECT_EQ(Ask(Get("/cv/mcloud/demo")).body, Ask(Get("/cv/demo")).body) << "the page too";
  ExpectError(Ask(PostImage("/cv/mcloud/none")), 404, 404, "'none'");
  const RawReply remove = Ask("DELETE /cv/mcloud/demo HTTP/1.1\r\nHost: t\r\n\r\n");
  ExpectError(remove, 405, 2);
  EXPECT_EQ(remove.Header("allow"), "POST, PUT, GET, HEAD");
}

TEST_F(RoutesTest, TheQueryIsNoPartOfThePath) {
  Start();
  EXPECT_EQ(Ask(Get("/livez?x=1")).status, 200);
}

TEST_F(RoutesTest, AnAbsoluteTargetIsUnderstood) {
  Start();
  EXPECT_EQ(Ask(Get("http://test/livez")).status, 200);
  ExpectError(Ask("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n"), 400, 400, "target");
}

TEST_F(RoutesTest, ThePathIsPercentDecoded) {
  Start();
  EXPECT_EQ(Ask(PostImage("/cv/d%65mo")).status, 200);
  ExpectError(Ask(PostImage("/cv/d%6")), 400, 400, "%-escape");
}

TEST_F(RoutesTest, HeadAnswersAsGetWithoutABody) {
  Start();
  RawClient client(port());
  const RawReply head = client.Ask("HEAD /livez HTTP/1.1\r\nHost: t\r\n\r\n", true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-length"), "13");
  const RawReply get = client.Ask(Get("/livez"));
  EXPECT_EQ(get.body, "{\"live\":true}") << "nothing of the HEAD's body came before it";
}

TEST_F(RoutesTest, LiveIsAlwaysOkAndReadyNamesTheReason) {
  service_.SetReady(Status::Unavailable("demo: weights are loading"));
  Start();
  EXPECT_EQ(Ask(Get("/livez")).body, "{\"live\":true}");
  const RawReply not_ready = Ask(Get("/readyz"));
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_EQ(not_ready.body,
            "{\"ready\":false,\"reason\":\"demo: weights are loading\",\"devices\":[]}");
  service_.SetReady(Status::Ok());
  const RawReply ready = Ask(Get("/readyz"));
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, "{\"ready\":true,\"reason\":\"\",\"devices\":[]}");
}

TEST_F(RoutesTest, ServicesAreListedWithAllThatIsKnown) {
  ServiceInfo info;
  info.name = "plant";
  info.route = "/cv/plant";
  info.title = "植物";
  info.state = ServiceState::kNoWeights;
  info.reason = "no weights";
  info.latency_goal = std::chrono::milliseconds(50);
  info.max_batch = 8;
  info.answer.index_key = "category_id";
  service_.AddService(info);
  Start();
  const Json list = Json::parse(Ask(Get("/api/services")).body);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["name"], "demo");
  EXPECT_EQ(list[0]["state"], "ready");
  const Json one = Json::parse(Ask(Get("/api/services/plant")).body);
  EXPECT_EQ(one, list[1]);
  EXPECT_EQ(one["title"], "植物");
  EXPECT_EQ(one["state"], "no_weights");
  EXPECT_EQ(one["reason"], "no weights");
  EXPECT_EQ(one["latency_goal_ms"], 50.0);
  EXPECT_EQ(one["max_batch"], 8);
  EXPECT_EQ(one["priority"], "normal");
  EXPECT_EQ(one["answer"]["index_key"], "category_id");
  EXPECT_EQ(one["answer"]["probability_key"], "prob");
  EXPECT_EQ(one["synthetic"], false);
  EXPECT_EQ(one["imgurl"], false) << "off until the operator allows hosts";
  ExpectError(Ask(Get("/api/services/none")), 404, 404, "'none'");
}

TEST_F(RoutesTest, MetricsArePrometheusText) {
  Start();
  RawClient client(port());
  client.Ask(PostImage());
  const RawReply reply = client.Ask(Get("/metrics"));
  EXPECT_EQ(reply.Header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(reply.body, HasSubstr("# TYPE xcloud_requests_total counter"));
  EXPECT_THAT(reply.body,
              HasSubstr("xcloud_requests_total{endpoint=\"POST /cv/{service}\",code=\"200\"} 1\n"));
  EXPECT_THAT(reply.body, HasSubstr("xcloud_connections 1\n"));
}

TEST_F(RoutesTest, StagesOfARequestAddUpToTheWhole) {
  Start();
  RawClient client(port());
  client.Ask(PostImage());
  call_log_.WaitFor(1);
  double stages = 0;
  for (const char* stage :
       {"receive", "decode_wait", "decode", "queue", "staging", "infer", "reply"}) {
    stages += metrics_
                  .GetHistogram("xcloud_stage_seconds", "", LatencyBoundsSeconds(),
                                {{"model", "demo"}, {"stage", stage}})
                  .sum();
  }
  const Histogram& whole =
      metrics_.GetHistogram("xcloud_request_seconds", "", LatencyBoundsSeconds(),
                            {{"endpoint", "POST /cv/{service}"}, {"model", "demo"}});
  // The puppet's stages take 15 ms on paper and end in the future, so no reply time is left.
  EXPECT_GE(stages, 0.015);
  EXPECT_LE(stages, 0.015 + whole.sum());
  EXPECT_DOUBLE_EQ(metrics_
                       .GetHistogram("xcloud_stage_seconds", "", LatencyBoundsSeconds(),
                                     {{"model", "demo"}, {"stage", "infer"}})
                       .sum(),
                   0.005);
}

TEST_F(RoutesTest, PagesComeWithAStrictPolicyAndAnETag) {
  Start();
  for (const std::string target : {"/", "/cv/demo", "/assets/app.css"}) {
    const RawReply page = Ask(Get(target));
    EXPECT_EQ(page.status, 200) << target;
    EXPECT_FALSE(page.body.empty()) << target;
    EXPECT_THAT(page.Header("content-security-policy"), HasSubstr("default-src 'self'"));
    EXPECT_EQ(page.Header("x-content-type-options"), "nosniff");
    const std::string etag = page.Header("etag");
    ASSERT_FALSE(etag.empty());
    EXPECT_EQ(Ask(Get(target, "If-None-Match: \"other\", W/" + etag + "\r\n")).status, 304);
    EXPECT_EQ(Ask(Get(target, "If-None-Match: \"other\"\r\n")).status, 200);
  }
  EXPECT_EQ(Ask(Get("/")).Header("content-type"), "text/html; charset=utf-8");
  ExpectError(Ask(Get("/assets/none.js")), 404, 404);
  ExpectError(Ask(Get("/assets/..%2Fserver.cpp")), 404, 404);
}

TEST_F(RoutesTest, EveryAssetIsServedAsItIs) {
  Start();
  RawClient client(port());
  ASSERT_FALSE(WebAssets().empty());
  for (const WebAsset& asset : WebAssets()) {
    const RawReply reply = client.Ask(Get("/assets/" + std::string(asset.path)));
    EXPECT_EQ(reply.body, asset.body) << asset.path;
    EXPECT_EQ(reply.Header("content-type"), asset.content_type);
  }
}

TEST_F(RoutesTest, ThePageOfAnUnknownServiceIsA404ThatPeopleCanRead) {
  Start();
  const RawReply page = Ask(Get("/cv/none"));
  EXPECT_EQ(page.status, 404);
  EXPECT_EQ(page.Header("content-type"), "text/html; charset=utf-8");
}

TEST_F(RoutesTest, AThrowingServiceIs500WithoutItsWords) {
  class Throwing final : public InferenceService {
   public:
    std::vector<ServiceInfoPtr> List() const override { throw std::runtime_error("secret"); }
    ServiceInfoPtr Find(std::string_view) const override { return nullptr; }
    Result<ServiceInfoPtr> FindVersion(std::string_view, std::string_view) const override {
      return Status::NotFound("none");
    }
    Status Admit(std::string_view, std::string_view, Priority, Deadline) const override {
      return Status::Ok();
    }
    void Infer(InferenceRequest, InferenceCallback) override {}
    Status Ready() const override { return Status::Ok(); }
    std::vector<DeviceHealth> Devices() const override { return {}; }
    Result<BatchingView> Batching(std::string_view) const override { return BatchingView{}; }
    Result<BatchingView> ChangeBatching(std::string_view, const BatchingPatch&) override {
      return BatchingView{};
    }
    Result<ModelStatistics> Statistics(std::string_view, std::string_view) const override {
      return ModelStatistics{};
    }
    Status Load(std::string_view, StatusCallback) override { return Status::Ok(); }
    Status Unload(std::string_view, StatusCallback) override { return Status::Ok(); }
  };
  Throwing service;
  HttpServer server(config_, service, call_log_, metrics_, clock_);
  ASSERT_TRUE(server.Start().ok());
  const RawReply reply = RawClient(server.port()).Ask(Get("/api/services"));
  ExpectError(reply, 500, 500, "internal error");
  EXPECT_EQ(reply.body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace xcloud
