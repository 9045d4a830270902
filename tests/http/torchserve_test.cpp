// TorchServe's API: health, predictions, the list of models.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class TorchServeTest : public ServerFixture {
 protected:
  std::string LastPhoto() { return std::string(service_.requests().back().image.view()); }
  void ExpectRefusal(const RawReply& reply, int status, const std::string& type,
                     const std::string& words) {
    EXPECT_EQ(reply.status, status) << reply.body;
    const Json body = Json::parse(reply.body, nullptr, false);
    EXPECT_EQ(body.value("code", 0), status);
    EXPECT_EQ(body.value("type", ""), type);
    EXPECT_THAT(body.value("message", ""), HasSubstr(words));
  }
  static std::string Put(const std::string& target, const std::string& body) {
    return "PUT " + target +
           " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }
  void AddModel(const std::string& name) {
    ServiceInfo info = *service_.Find("demo");
    info.name = name;
    service_.AddService(info);
  }
};

TEST_F(TorchServeTest, PingTellsHealth) {
  Start();
  const RawReply well = Ask(Get("/ping"));
  EXPECT_EQ(well.status, 200);
  EXPECT_EQ(well.body, R"({"status":"Healthy"})");
  service_.SetReady(Status::Unavailable("loading"));
  const RawReply ill = Ask(Get("/ping"));
  EXPECT_EQ(ill.status, 503);
  EXPECT_EQ(ill.body, R"({"status":"Unhealthy"})");
}

TEST_F(TorchServeTest, APhotoIsAnsweredByLabelsTheLikeliestFirst) {
  service_.answer.predictions = {{7, "tabby", 0.51239F}, {1, "x\"y", 0.25F}, {2, "tabby", 0.125F}};
  Start();
  const RawReply reply = Ask(Post("/predictions/demo", "Content-Type: image/jpeg\r\n", "photo"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(reply.body, R"({"tabby":0.51239,"x\"y":0.25})") << "a name once, for the likelier";
  EXPECT_THAT(reply.Header("server-timing"), HasSubstr("infer;dur="));
  EXPECT_EQ(LastPhoto(), "photo");
  const InferenceRequest request = service_.requests().back();
  EXPECT_EQ(request.top_k, 5);
  EXPECT_EQ(request.version, "");
  EXPECT_EQ(request.answer, AnswerKind::kPredictions);
}

TEST_F(TorchServeTest, AnAnswerOfTheServicesOwnIsGivenAsItIs) {
  service_.answer.predictions.clear();
  service_.answer.value = AnswerValue::Fields({{"brisque", AnswerValue::Of(23.5, 2)}});
  Start();
  const RawReply reply = Ask(Post("/predictions/demo", "Content-Type: image/jpeg\r\n", "photo"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"brisque":23.5})");
}

TEST_F(TorchServeTest, TheVersionIsOfThePath) {
  Start();
  EXPECT_EQ(Ask(Put("/predictions/demo/2", "photo")).status, 200);
  EXPECT_EQ(service_.requests().back().version, "2");
  EXPECT_EQ(Ask(Post("/predictions/demo/3?k=2", "", "photo")).status, 200);
  EXPECT_EQ(service_.requests().back().version, "3");
  EXPECT_EQ(service_.requests().back().top_k, 2);
}

TEST_F(TorchServeTest, TakesEveryFormThatCurlSends) {
  Start();
  EXPECT_EQ(Ask(Put("/predictions/demo", "curl -T")).status, 200);
  EXPECT_EQ(LastPhoto(), "curl -T");
  for (const char* type : {"application/octet-stream", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(Ask(Post("/predictions/demo", "Content-Type: " + std::string(type) + "\r\n",
                       "curl --data-binary"))
                  .status,
              200);
    EXPECT_EQ(LastPhoto(), "curl --data-binary");
  }
  const std::string end = "--B--\r\n";
  EXPECT_EQ(Ask(PostForm("/predictions/demo", FormPart("data", "D", "x.jpg") + end)).status, 200);
  EXPECT_EQ(LastPhoto(), "D");
  EXPECT_EQ(Ask(PostForm("/predictions/demo", FormPart("body", "as a field") + end)).status, 200);
  EXPECT_EQ(LastPhoto(), "as a field");
  const std::string beside = FormPart("note", "n") + FormPart("upload", "U", "x.jpg");
  EXPECT_EQ(Ask(PostForm("/predictions/demo", beside + end)).status, 200);
  EXPECT_EQ(LastPhoto(), "U") << "the only file";
  const std::string named = FormPart("other", "O", "o.jpg") + FormPart("data", "D2", "d.jpg");
  EXPECT_EQ(Ask(PostForm("/predictions/demo", named + end)).status, 200);
  EXPECT_EQ(LastPhoto(), "D2") << "'data' before another file";
}

TEST_F(TorchServeTest, RefusalsAreInTorchServesForm) {
  Start();
  const std::string end = "--B--\r\n";
  ExpectRefusal(Ask(Put("/predictions/none", "x")), 404, "ModelNotFoundException",
                "Model not found: none");
  ExpectRefusal(Ask(Put("/predictions/demo", "")), 400, "BadRequestException", "empty");
  ExpectRefusal(Ask(Get("/models", "Accept-Encoding: *;q=0\r\n")), 406, "BadRequestException", "");
  ExpectRefusal(Ask(PostForm("/predictions/demo", FormPart("note", "n") + end)), 400,
                "BadRequestException", "'data'");
  ExpectRefusal(Ask(PostForm("/predictions/demo",
                             FormPart("a", "1", "a.jpg") + FormPart("b", "2", "b.jpg") + end)),
                400, "BadRequestException", "exactly one file");
  ExpectRefusal(Ask(PostForm("/predictions/demo", FormPart("data", "", "a.jpg") + end)), 400,
                "BadRequestException", "empty");
  ExpectRefusal(Ask(PostForm("/predictions/demo", "no form")), 400, "BadRequestException", "");
  ExpectRefusal(Ask(Post("/predictions/demo", "Content-Type: multipart/form-data\r\n", "x")), 400,
                "BadRequestException", "boundary");
  ExpectRefusal(Ask(Post("/predictions/demo?k=none", "", "x")), 400, "BadRequestException", "k");
  ExpectRefusal(Ask(Get("/predictions/demo")), 405, "MethodNotAllowedException", "POST, PUT");
  ExpectRefusal(Ask(Get("/models/demo/1/more")), 404, "ModelNotFoundException", "nothing at");
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(TorchServeTest, WhatTheServiceSaysIsPassedOn) {
  Start();
  service_.answer.status = Status::NotFound("demo has no version '9'");
  ExpectRefusal(Ask(Put("/predictions/demo/9", "x")), 404, "ModelNotFoundException", "'9'");
  service_.SetAdmit(Status::Overloaded("the queue is full", std::chrono::milliseconds(1500)));
  const RawReply full = Ask(Put("/predictions/demo", "x"));
  ExpectRefusal(full, 429, "ServiceUnavailableException", "full");
  EXPECT_EQ(full.Header("retry-after"), "2");
}

TEST_F(TorchServeTest, ACallIsLoggedAndCounted) {
  Start();
  EXPECT_EQ(Ask(Put("/predictions/demo", "x")).status, 200);
  EXPECT_EQ(Ask(Put("/predictions/demo", "")).status, 400);
  const auto records = call_log_.WaitFor(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].api_name, "predictions/demo");
  EXPECT_EQ(records[0].model, "demo");
  EXPECT_EQ(records[0].http_status, 200);
  EXPECT_EQ(records[0].code, 0);
  EXPECT_EQ(records[1].code, 1);
  EXPECT_EQ(records[1].http_status, 400);
}

TEST_F(TorchServeTest, TheListOfModelsComesInPages) {
  AddModel("second");
  AddModel("third");
  Start();
  const Json all = Json::parse(Ask(Get("/models")).body);
  EXPECT_EQ(all, Json::parse(R"({"models":[
    {"modelName":"demo","modelUrl":"/predictions/demo"},
    {"modelName":"second","modelUrl":"/predictions/second"},
    {"modelName":"third","modelUrl":"/predictions/third"}]})"));
  const Json first = Json::parse(Ask(Get("/models?limit=2")).body);
  EXPECT_EQ(first["models"].size(), 2U);
  const std::string token = first["nextPageToken"];
  const Json rest = Json::parse(Ask(Get("/models?limit=2&next_page_token=" + token)).body);
  EXPECT_EQ(rest["models"], Json::array({all["models"][2]}));
  EXPECT_FALSE(rest.contains("nextPageToken"));
  EXPECT_TRUE(Json::parse(Ask(Get("/models?next_page_token=99")).body)["models"].empty());
  EXPECT_EQ(Json::parse(Ask(Get("/models?limit=100000")).body), all);
  for (const char* query : {"limit=0", "limit=-1", "limit=x", "limit=", "next_page_token=x",
                            "limit=99999999999999999999", "limit=%2"}) {
    ExpectRefusal(Ask(Get("/models?" + std::string(query))), 400, "BadRequestException", "");
  }
}

TEST_F(TorchServeTest, AModelIsDescribed) {
  DeviceHealth well{"cpu0", DeviceState::kReady, "", 2, 1, 0};
  DeviceHealth ill{"cuda0", DeviceState::kQuarantined, "illegal address", 1, 0, 3};
  service_.SetDevices({well, ill});
  BatchingView view;
  view.current.limits.max_batch = 8;
  view.current.limits.max_queue_delay = std::chrono::microseconds(1500);
  service_.SetBatching(view);
  Start();
  const Json body = Json::parse(Ask(Get("/models/demo")).body);
  EXPECT_EQ(body, Json::parse(R"([{"modelName":"demo","modelVersion":"1",
    "modelUrl":"/predictions/demo","runtime":"puppet","status":"READY","minWorkers":3,
    "maxWorkers":3,"batchSize":8,"maxBatchDelay":2,"workers":[
      {"id":"cpu0/0","status":"READY"},{"id":"cpu0/1","status":"READY"},
      {"id":"cuda0/0","status":"UNAVAILABLE"}]}])"));
  EXPECT_EQ(Json::parse(Ask(Get("/models/demo/1")).body), body);
  EXPECT_EQ(Json::parse(Ask(Get("/models/demo/all")).body), body);
  ExpectRefusal(Ask(Get("/models/none")), 404, "ModelNotFoundException", "Model not found: none");
  ExpectRefusal(Ask(Get("/models/demo/7")), 404, "ModelNotFoundException", "Model version: 7");
}

}  // namespace
}  // namespace xcloud
