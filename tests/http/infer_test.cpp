// POST /cv/{service}: the forms a body may have, the options, the answer, each refusal.
#include "tests/http/server_fixture.h"
#include "tests/support/base64_text.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class InferTest : public ServerFixture {
 protected:
  // The photo bytes that reached the service with the newest request.
  std::string LastPhoto() { return std::string(service_.requests().back().image.view()); }
};

TEST_F(InferTest, AnswersInTheServicesOwnKeys) {
  ServiceInfo info;
  info.name = "food";
  info.answer.label_key = "name";
  info.answer.index_key = "category";
  info.answer.decimals = 3;
  service_.AddService(info);
  service_.answer.predictions = {{7, "pâté", 0.51239F}, {-1, "x\"y", 0.1F}};
  Start();
  const RawReply reply = Ask(PostImage("/cv/food"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-type"), "application/json; charset=utf-8");
  EXPECT_THAT(reply.body, MatchesRegex(R"(\{"code":0,"msg":"success","data":\[)"
                                       R"(\{"name":"pâté","category":7,"prob":0\.512\},)"
                                       R"(\{"name":"x\\"y","category":-1,"prob":0\.1\}\],)"
                                       R"("elapse":[0-9]+\.[0-9]+\})"));
}

TEST_F(InferTest, TellsStageTimesInServerTiming) {
  Start();
  const RawReply reply = Ask(PostImage());
  EXPECT_EQ(reply.Header("server-timing"), "decode;dur=2.0, queue;dur=3.0, infer;dur=5.0");
}

TEST_F(InferTest, ExplainAddsWhereTheTimeWent) {
  service_.answer.synthetic = true;
  Start();
  const Json body = Json::parse(Ask(PostImage("/cv/demo?explain=1")).body);
  EXPECT_EQ(body["synthetic"], true);
  const Json& explain = body["explain"];
  EXPECT_EQ(explain["model"], "demo");
  EXPECT_EQ(explain["version"], "1");
  EXPECT_EQ(explain["lane"], "puppet/0");
  EXPECT_EQ(explain["batch"], 1);
  EXPECT_EQ(explain["decode_ms"], 2.0);
  EXPECT_EQ(explain["queue_ms"], 3.0);
  EXPECT_EQ(explain["staging_ms"], 4.0);
  EXPECT_EQ(explain["infer_ms"], 5.0);
  EXPECT_GE(explain["total_ms"].get<double>(), 0);
  const Json plain = Json::parse(Ask(PostImage("/cv/demo?explain=0")).body);
  EXPECT_FALSE(plain.contains("explain"));
}

TEST_F(InferTest, TakesTheBodyItselfAsThePhoto) {
  Start();
  for (const std::string type : {"Content-Type: image/jpeg\r\n", "Content-Type: IMAGE/webp\r\n",
                                 "Content-Type: application/octet-stream\r\n", ""}) {
    EXPECT_EQ(Ask(Post("/cv/demo", type, "bytes of " + type)).status, 200) << type;
    EXPECT_EQ(LastPhoto(), "bytes of " + type);
  }
  EXPECT_EQ(Ask("PUT /cv/demo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nput").status, 200)
      << "what curl -T sends";
  EXPECT_EQ(LastPhoto(), "put");
}

TEST_F(InferTest, TakesCurlsDefaultTypeOnlyForAnImageFile) {
  Start();
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  EXPECT_EQ(Ask(Post("/cv/demo", form, "\xFF\xD8\xFF\xE0 jpeg")).status, 200);
  EXPECT_EQ(Ask(Post("/cv/demo", form, "RIFFsizeWEBP")).status, 200);
  ExpectError(Ask(Post("/cv/demo", form, "GIF89a")), 400, 1, "'image'");
}

TEST_F(InferTest, TakesTheSamePhotoInEveryForm) {
  Start();
  const std::string photo("\xFF\xD8\xFF\xE0 any>>>bytes???", 19);
  const std::string base64 = ToBase64(photo);
  const std::string json = R"({"image":")" + base64 + R"(","k":2})";
  const std::string json_type = "Content-Type: application/json\r\n";
  const std::string form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
  for (const std::string target : {"/cv/demo", "/cv/mcloud/demo"}) {
    for (const std::string& request :
         {Post(target, "Content-Type: image/jpeg\r\n", photo), Post(target, json_type, json),
          Post(target, form_type, "k=2&imgraw=" + base64), Post(target, form_type, photo),
          PostForm(target, FormPart("image", photo, "a.jpg") + "--B--"),
          PostForm(target, FormPart("imgraw", base64) + "--B--"),
          PostForm(target, FormPart("image", "data:image/jpeg;base64," + base64) + "--B--")}) {
      const RawReply posted = Ask(request);
      EXPECT_EQ(posted.status, 200) << posted.body;
      EXPECT_EQ(LastPhoto(), photo) << request;
      EXPECT_EQ(Ask("PUT" + request.substr(4)).status, 200);
      EXPECT_EQ(LastPhoto(), photo) << "PUT of " << request;
    }
  }
  EXPECT_EQ(Ask(Post("/cv/demo", json_type, json)).status, 200);
  EXPECT_EQ(service_.requests().back().top_k, 2);
}

TEST_F(InferTest, TheLimitOfTheBodyIsThatOfItsText) {
  config_.body_limit_bytes = 1000;
  Start();
  const std::string type = "Content-Type: application/json\r\n";
  const auto with = [](std::size_t bytes) {
    return R"({"image":")" + std::string(bytes, 'A') + R"("})";
  };
  EXPECT_EQ(Ask(Post("/cv/demo", type, with(988))).status, 200);
  EXPECT_EQ(LastPhoto().size(), 741U);
  ExpectError(Ask(Post("/cv/demo", type, with(992))), 413, 413, "1000 bytes");
}

TEST_F(InferTest, TakesTheMultipartPart) {
  Start();
  EXPECT_EQ(Ask(PostForm("/cv/demo", FormPart("image", "one\r\n--Bx", "a.jpg") + "--B--")).status,
            200);
  EXPECT_EQ(LastPhoto(), "one\r\n--Bx");
  const std::string beside = FormPart("k", "3") + FormPart("imgraw", "two", "b.jpg") +
                             FormPart("explain", "1") + FormPart("model_version", "2") + "--B--";
  const RawReply reply = Ask(PostForm("/cv/demo", beside));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(LastPhoto(), "two");
  EXPECT_EQ(service_.requests().back().top_k, 3);
  EXPECT_EQ(service_.requests().back().version, "2");
  EXPECT_THAT(reply.body, HasSubstr("\"explain\""));
}

TEST_F(InferTest, TakesAChunkedBodyInPiecesOfAnySize) {
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char c : std::string("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n")) {
    client.Send(std::string_view(&c, 1));
  }
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_EQ(LastPhoto(), "abc0123456789");
  EXPECT_EQ(client.Ask(Get("/livez")).status, 200) << "the next request is found";
}

TEST_F(InferTest, RefusesWhatIsNoPhoto) {
  Start();
  ExpectError(Ask(Post("/cv/demo", "Content-Type: image/png\r\n", "")), 400, 1, "empty");
  ExpectError(Ask(PostForm("/cv/demo", "")), 400, 1, "empty");
  ExpectError(Ask(PostForm("/cv/demo", FormPart("photo", "x") + "--B--")), 400, 1, "'image'");
  ExpectError(Ask(PostForm("/cv/demo", FormPart("image", "") + "--B--")), 400, 1, "empty");
  ExpectError(Ask(PostForm("/cv/demo", FormPart("image", "cut off"))), 400, 1, "closing boundary");
  ExpectError(Ask(PostForm("/cv/demo", "no boundary here")), 400, 1, "boundary never comes");
  ExpectError(Ask(Post("/cv/demo", "Content-Type: text/csv\r\n", "a,b")), 415, 415, "text/csv");
  ExpectError(Ask(Post("/cv/demo", "Content-Type: multipart/form-data\r\n", "x")), 400, 400,
              "boundary");
  ExpectError(Ask(Post("/cv/demo", "Content-Encoding: br\r\n", "x")), 415, 415, "Content-Encoding");
  EXPECT_EQ(Ask(Post("/cv/demo", "Content-Encoding: gzip\r\n", "x")).status, 400);
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(InferTest, RefusesOptionsOutOfRange) {
  Start();
  for (const std::string k : {"0", "1001", "-1", "five", "", "5x", "99999999999999999999"}) {
    ExpectError(Ask(PostImage("/cv/demo?k=" + k)), 400, 400, "1 to 1000");
  }
  ExpectError(Ask(PostImage("/cv/demo?deadline_ms=0")), 400, 400, "deadline_ms");
  ExpectError(Ask(PostImage("/cv/demo", "X-Deadline-Ms: soon\r\n")), 400, 400, "deadline_ms");
  ExpectError(Ask(PostImage("/cv/demo?explain=maybe")), 400, 400, "explain");
  ExpectError(Ask(PostImage("/cv/demo?k=%zz")), 400, 400, "%-escape");
  const std::string form = FormPart("k", "0") + FormPart("image", "x", "x.jpg") + "--B--";
  ExpectError(Ask(PostForm("/cv/demo", form)), 400, 400, "1 to 1000");
  EXPECT_EQ(Ask(PostImage("/cv/demo?k=1000&other=1")).status, 200);
  EXPECT_EQ(service_.requests().back().top_k, 1000);
}

TEST_F(InferTest, DeadlineCountsFromTheFirstByte) {
  ServiceInfo info;
  info.name = "goal";
  info.latency_goal = std::chrono::seconds(7);
  service_.AddService(info);
  Start();
  const auto budget = [&] {
    const InferenceRequest request = service_.requests().back();
    EXPECT_GE(request.received, request.first_byte);
    return request.deadline.when() - request.first_byte;
  };
  Ask(PostImage("/cv/goal"));
  EXPECT_EQ(budget(), std::chrono::seconds(7)) << "the service's goal";
  Ask(PostImage("/cv/goal?deadline_ms=9000"));
  EXPECT_EQ(budget(), std::chrono::seconds(9)) << "the query";
  Ask(PostImage("/cv/goal", "X-Deadline-Ms: 8000\r\n"));
  EXPECT_EQ(budget(), std::chrono::seconds(8)) << "the header";
  Ask(PostForm("/cv/goal",
               FormPart("deadline_ms", "6000") + FormPart("image", "x", "x.jpg") + "--B--"));
  EXPECT_EQ(budget(), std::chrono::seconds(6)) << "the form";
  Ask(PostImage("/cv/demo"));
  EXPECT_FALSE(service_.requests().back().deadline.IsSet()) << "no goal: the model's patience";
}

TEST_F(InferTest, AnErrorNamesTheTraceThatItsRequestCarried) {
  Start();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const auto error_with = [&](const std::string& path, const std::string& traceparent) {
    return Json::parse(Ask(PostImage(path, "traceparent: " + traceparent + "\r\n")).body);
  };
  EXPECT_EQ(error_with("/cv/none", "00-" + trace + "-b7ad6b7169203331-01")["trace_id"], trace);
  EXPECT_EQ(error_with("/nothing", "00-" + trace + "-b7ad6b7169203331-01")["trace_id"], trace);
  EXPECT_FALSE(error_with("/cv/none", "00-" + trace).contains("trace_id")) << "malformed";
  EXPECT_EQ(error_with("/v2/none", "00-" + trace + "-b7ad6b7169203331-01")["trace_id"], trace);
  EXPECT_EQ(error_with("/predictions/none", "00-" + trace + "-b7ad6b7169203331-01")["trace_id"],
            trace);
}

TEST_F(InferTest, AnUnknownServiceIs404) {
  Start();
  ExpectError(Ask(PostImage("/cv/none")), 404, 404, "'none'");
}

TEST_F(InferTest, EachStatusHasItsHttpStatus) {
  Start();
  const auto answered = [&](Status status) {
    service_.answer.status = std::move(status);
    return Ask(PostImage());
  };
  ExpectError(answered(Status::InvalidArgument("bad photo")), 400, 1, "bad photo");
  ExpectError(answered(Status::UnsupportedMedia("gif")), 415, 1, "gif");
  ExpectError(answered(Status::TooLarge("pixels")), 413, 413, "pixels");
  ExpectError(answered(Status::NotFound("version")), 404, 404);
  ExpectError(answered(Status::Unavailable("loading")), 503, 503, "loading");
  ExpectError(answered(Status::DeadlineExceeded("late")), 504, 504);
  ExpectError(answered(Status::Internal("oops")), 500, 500);
}

TEST_F(InferTest, OverloadSaysWhenToComeBack) {
  Start();
  service_.SetAdmit(Status::Overloaded("queue full", std::chrono::milliseconds(1200)));
  const RawReply reply = Ask(PostImage());
  ExpectError(reply, 429, 429, "queue full");
  EXPECT_EQ(reply.Header("retry-after"), "2") << "whole seconds, rounded up";
  EXPECT_EQ(reply.Header("retry-after-ms"), "1200");
  service_.SetAdmit(Status::Overloaded("queue full", std::chrono::milliseconds(0)));
  EXPECT_EQ(Ask(PostImage()).Header("retry-after"), "1") << "at least 1";
}

TEST_F(InferTest, AdmissionIsAskedBeforeTheBodyIsRead) {
  service_.SetAdmit(Status::Unavailable("demo is loading"));
  Start();
  RawClient client(port());
  client.Send("POST /cv/demo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n");
  ExpectError(client.Receive(), 503, 503, "loading");
  client.Send("photo");
  EXPECT_EQ(client.Ask(Get("/livez")).status, 200) << "the small body was dropped unread";
}

TEST_F(InferTest, RequestIdIsEchoedWhenSaneAndMadeOtherwise) {
  Start();
  const auto id_for = [&](const std::string& headers) {
    return Ask(PostImage("/cv/demo", headers)).Header("x-request-id");
  };
  EXPECT_EQ(id_for("X-Request-Id: my-id/1\r\n"), "my-id/1");
  const std::string made = id_for("");
  EXPECT_THAT(made, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(id_for(""), made);
  EXPECT_THAT(id_for("X-Request-Id: two words\r\n"), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(id_for("X-Request-Id: " + std::string(129, 'a') + "\r\n"),
              MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(Ask(Get("/nothing", "X-Request-Id: e\r\n")).Header("x-request-id"), "e");
}

TEST_F(InferTest, AnIdThatAClientRepeatsGivesEachCallARowOfItsOwn) {
  Start();
  Ask(PostImage("/cv/demo", "X-Request-Id: same\r\n"));
  Ask(PostImage("/cv/demo", "X-Request-Id: same\r\n"));
  const auto rows = call_log_.WaitFor(2);
  EXPECT_NE(rows[0].request_id, rows[1].request_id);
}

TEST_F(InferTest, EveryCallIsLoggedAlsoTheFailed) {
  Start();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const RawReply reply =
      Ask(PostImage("/cv/demo", "User-Agent: curl/7.88\r\nX-Request-Id: r1\r\ntraceparent: 00-" +
                                    trace + "-b7ad6b7169203331-01\r\n"));
  ASSERT_EQ(reply.status, 200);
  const CallRecord good = call_log_.WaitFor(1)[0];
  EXPECT_THAT(good.request_id, MatchesRegex("r1~[0-9a-f]{32}"));
  EXPECT_EQ(good.api_name, "cv/demo");
  EXPECT_EQ(good.model, "demo");
  EXPECT_EQ(good.version, "1");
  EXPECT_EQ(good.terminal, TerminalType::kTool);
  EXPECT_EQ(good.http_status, 200);
  EXPECT_EQ(good.code, 0);
  EXPECT_EQ(good.trace_id, trace);
  EXPECT_GT(good.elapse_ms, 0);
  EXPECT_DOUBLE_EQ(good.decode_ms, 2);
  EXPECT_DOUBLE_EQ(good.queue_ms, 3);
  EXPECT_DOUBLE_EQ(good.infer_ms, 5);
  Ask(PostImage("/cv/none"));
  const CallRecord missing = call_log_.WaitFor(2)[1];
  EXPECT_EQ(missing.api_name, "cv/none");
  EXPECT_EQ(missing.model, "");
  EXPECT_EQ(missing.http_status, 404);
  EXPECT_EQ(missing.code, 404);
  service_.answer.status = Status::InvalidArgument("bad photo");
  Ask(PostImage());
  const CallRecord bad = call_log_.WaitFor(3)[2];
  EXPECT_EQ(bad.http_status, 400);
  EXPECT_EQ(bad.code, 1);
}

}  // namespace
}  // namespace xcloud
