// POST /v2/models/{model}/infer: the route around the protocol's words. What the words themselves
// may be is tested in infer_request_test.cpp and infer_answer_test.cpp.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr const char* kInfer = "/v2/models/echo/infer";
constexpr const char* kJson =
    R"({"id":"c7","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})";

class InferRouteTest : public ServerFixture {
 protected:
  InferRouteTest() {
    ServiceInfo info;
    info.name = "echo";
    info.version = "3";
    info.state = ServiceState::kReady;
    info.inputs = {{"x", DataType::kFp32, {-1, 2}}};
    info.outputs = {{"y", DataType::kFp32, {-1, 2}}};
    service_.AddService(info);
    service_.answer.model = "echo";
    service_.answer.version = "3";
    const float values[] = {0.25F, 0.75F};
    service_.answer.outputs = {
        {"y", DataType::kFp32, {1, 2}, std::string(reinterpret_cast<const char*>(values), 8)}};
  }

  RawReply Infer(const std::string& body, const std::string& headers = "",
                 const std::string& target = kInfer) {
    return Ask(Post(target, headers, body));
  }
  RawReply InferBinary(const std::string& json, const std::string& binary) {
    return Infer(json + binary,
                 "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n");
  }
  // {"error":"..."} with the words, and the server goes on.
  void ExpectRefused(const RawReply& reply, int status, const std::string& words) {
    EXPECT_EQ(reply.status, status) << reply.body;
    const Json body = Json::parse(reply.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << reply.body;
    EXPECT_EQ(body.size(), 1U) << reply.body;
    EXPECT_THAT(body.value("error", ""), HasSubstr(words));
    EXPECT_EQ(Ask(Get("/livez")).status, 200);
  }
  InferenceRequest LastRequest() { return service_.requests().back(); }
};

TEST_F(InferRouteTest, AnswersInTheProtocolsWords) {
  Start();
  const RawReply reply = Infer(kJson, "Content-Type: application/json\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"id":"c7","model_name":"echo","model_version":"3","outputs":[)"
                        R"({"name":"y","datatype":"FP32","shape":[1,2],"data":[0.25,0.75]}]})");
  EXPECT_EQ(reply.Header("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(reply.headers.count("inference-header-content-length"), 0U);
  EXPECT_EQ(reply.Header("server-timing"), "decode;dur=2.0, queue;dur=3.0, infer;dur=5.0");
  const InferenceRequest request = LastRequest();
  EXPECT_EQ(request.answer, AnswerKind::kTensors);
  EXPECT_EQ(request.service, "echo");
  EXPECT_TRUE(request.image.empty());
  ASSERT_EQ(request.inputs.size(), 1U);
  EXPECT_EQ(request.inputs[0].data.size(), 8U);
}

TEST_F(InferRouteTest, BinaryInAndOut) {
  Start();
  const std::string json = R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32",)"
                           R"("parameters":{"binary_data_size":8}}],)"
                           R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  const RawReply reply = InferBinary(json, "12345678");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(LastRequest().inputs[0].data.view(), "12345678");
  EXPECT_EQ(reply.Header("content-type"), "application/octet-stream");
  const std::size_t length = std::stoul(reply.Header("inference-header-content-length"));
  EXPECT_EQ(
      Json::parse(reply.body.substr(0, length))["outputs"][0]["parameters"]["binary_data_size"], 8);
  EXPECT_EQ(reply.body.substr(length), service_.answer.outputs[0].data.view());
}

TEST_F(InferRouteTest, ARawBodyIsTheOneInput) {
  service_.answer.outputs[0].name = "probabilities";
  Start();
  const RawReply reply =
      Infer("photo", "Content-Type: image/jpeg\r\nInference-Header-Content-Length: 0\r\n",
            "/v2/models/demo/infer");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_NE(reply.Header("inference-header-content-length"), "") << "its outputs are binary";
  const InferenceRequest request = LastRequest();
  ASSERT_EQ(request.inputs.size(), 1U);
  EXPECT_EQ(request.inputs[0].name, "image");
  EXPECT_EQ(request.inputs[0].shape, (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(request.inputs[0].data.view().substr(4), "photo");
}

TEST_F(InferRouteTest, ARawBodyMayComeInChunks) {
  Start();
  const RawReply reply =
      Ask("POST /v2/models/echo/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
          "Inference-Header-Content-Length: 0\r\n\r\n3\r\n123\r\n5\r\n45678\r\n0\r\n\r\n");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(LastRequest().inputs[0].data.view(), "12345678");
}

TEST_F(InferRouteTest, NamesTheVersion) {
  Start();
  EXPECT_EQ(Infer(kJson, "", "/v2/models/echo/versions/3/infer").status, 200);
  EXPECT_EQ(LastRequest().version, "3");
  ExpectRefused(Infer(kJson, "", "/v2/models/echo/versions/9/infer"), 404,
                "Request for unknown model: 'echo' version 9 is not found");
  ExpectRefused(Infer(kJson, "", "/v2/models/none/infer"), 404,
                "Request for unknown model: 'none' is not found");
  ExpectRefused(Infer(kJson, "", "/v2/models/none/versions/1/infer"), 404,
                "Request for unknown model: 'none' is not found");
  ExpectRefused(Infer(kJson, "", "/v2/models/echo/versions/Abc/infer"), 400,
                "failed to get model version from specified version string 'Abc'");
  ExpectRefused(Infer(kJson, "", "/v2/models/..%2Fecho/infer"), 400, "path traversal");
}

TEST_F(InferRouteTest, RefusesWhatTheWordsAreWrongIn) {
  Start();
  ExpectRefused(Infer("{", "Content-Type: application/json\r\n"), 400, "failed to parse");
  ExpectRefused(Infer(""), 400, "The document is empty.");
  ExpectRefused(InferBinary(kJson, "more"), 400, "unexpected additional input data");
  for (const std::string length : {"99999999999", "-1", "x", "1000"}) {
    ExpectRefused(Infer(R"({"inputs":[]})", "Inference-Header-Content-Length: " + length + "\r\n"),
                  400, ", got: " + length);
  }
  ExpectRefused(Infer(R"({"inputs":[],"parameters":{"sequence_id":1}})"), 501, "sequences");
  ExpectRefused(Infer(R"({"inputs":[],"outputs":[{"name":"z"}]})"), 400,
                "unexpected inference output 'z' for model 'echo'");
  EXPECT_TRUE(service_.requests().empty()) << "none of them was asked";
  EXPECT_EQ(call_log_.WaitFor(1).front().code, 400);
}

TEST_F(InferRouteTest, RefusesAnOutputFormThatThereIsNot) {
  service_.answer.outputs = {{"y", DataType::kFp16, {1, 1}, "hh"}};
  Start();
  ExpectRefused(Infer(kJson), 400, "sending FP16 data via JSON is not supported");
}

TEST_F(InferRouteTest, TakesAnyTypeButWhatCannotBeMeant) {
  Start();
  for (const std::string type : {"application/json; charset=utf-8", "application/octet-stream",
                                 "application/x-www-form-urlencoded", "text/plain"}) {
    EXPECT_EQ(Infer(kJson, "Content-Type: " + type + "\r\n").status, 200) << type;
  }
  ExpectRefused(Infer("x", "Content-Type: image/jpeg\r\n"), 415, "set that header to 0");
  ExpectRefused(Infer("x", "Content-Type: multipart/form-data; boundary=B\r\n"), 415, "multipart");
}

TEST_F(InferRouteTest, HasALimitOfItsOwn) {
  config_.body_limit_bytes = 1024;
  config_.v2_body_limit_bytes = 2048;
  Start();
  const std::string padded = std::string(kJson) + std::string(1500, ' ');
  EXPECT_EQ(Infer(padded).status, 200);
  const std::string words =
      " exceeds the maximum allowed input size of 2048 bytes. Use "
      "--http-max-input-size to increase the limit.";
  ExpectRefused(Infer(padded + padded), 413, words);
  const std::string chunk = "1000\r\n" + std::string(4096, ' ') + "\r\n0\r\n\r\n";
  ExpectRefused(Ask("POST /v2/models/echo/infer HTTP/1.1\r\nHost: t\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n" +
                    chunk),
                413, words);
  EXPECT_EQ(Ask(Post("/cv/demo", "Content-Type: image/jpeg\r\n", std::string(1500, 'x'))).status,
            413)
      << "other routes keep theirs";
}

TEST_F(InferRouteTest, TooManyChunksAreNotCalledTooManyBytes) {
  Start();
  std::string chunks;
  for (int i = 0; i < 65'537; ++i) chunks += "1\r\n \r\n";
  ExpectRefused(Ask("POST /v2/models/echo/infer HTTP/1.1\r\nHost: t\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n" +
                    chunks + "0\r\n\r\n"),
                413, "Chunked request body exceeds maximum of 65536 chunks");
}

TEST_F(InferRouteTest, PriorityAndTimeoutFromTheBody) {
  Start();
  const auto parameters = [](const std::string& members) {
    return R"({"inputs":[],"parameters":{)" + members + "}}";
  };
  EXPECT_EQ(Infer(parameters(R"("priority":1)")).status, 200);
  EXPECT_EQ(LastRequest().priority, Priority::kHigh);
  EXPECT_EQ(Infer(parameters(R"("priority":1)"), "X-Priority: low\r\n").status, 200);
  EXPECT_EQ(LastRequest().priority, Priority::kLow) << "the header has the last word";
  const auto budget = [&] {
    const InferenceRequest request = LastRequest();
    return request.deadline.when() - request.first_byte;
  };
  EXPECT_EQ(Infer(parameters(R"("timeout":5000000)")).status, 200);
  EXPECT_EQ(budget(), std::chrono::seconds(5));
  EXPECT_EQ(Infer(parameters(R"("timeout":5000000)"), "X-Deadline-Ms: 60000\r\n").status, 200);
  EXPECT_EQ(budget(), std::chrono::seconds(5)) << "the sooner of the two";
  EXPECT_EQ(Infer(parameters(R"("timeout":90000000)"), "X-Deadline-Ms: 60000\r\n").status, 200);
  EXPECT_EQ(budget(), std::chrono::seconds(60));
  EXPECT_EQ(
      Infer(parameters(R"("timeout":18446744073709551615)"), "X-Deadline-Ms: 60000\r\n").status,
      200);
  EXPECT_EQ(budget(), std::chrono::seconds(60));
}

TEST_F(InferRouteTest, AnswersAtTheTimeout) {
  service_.Hold();
  Start();
  ExpectRefused(Infer(R"({"inputs":[],"parameters":{"timeout":20000}})"), 504, "deadline");
  HeldRequest late = service_.Take();
  late.done(service_.answer);  // dropped
  EXPECT_EQ(Ask(Get("/livez")).status, 200);
}

TEST_F(InferRouteTest, RefusesWhatTheServiceRefuses) {
  Start();
  service_.SetAdmit(Status::Overloaded("the queue is full", std::chrono::milliseconds(250)));
  const RawReply overloaded = Infer(kJson);
  ExpectRefused(overloaded, 429, "the queue is full");
  EXPECT_EQ(overloaded.Header("retry-after"), "1");
  service_.SetAdmit(Status::Unavailable("its weights are not installed"));
  ExpectRefused(Infer(kJson), 503, "its weights are not installed");
  service_.SetAdmit(Status::Ok());
  service_.answer.status = Status::InvalidArgument("expected 1 inputs but got 0");
  ExpectRefused(Infer(kJson), 400, "expected 1 inputs but got 0");
}

TEST_F(InferRouteTest, AMessageDoesNotRepeatANameOfAnyLength) {
  Start();
  const std::string name(1'000'000, 'n');
  const std::string input = R"({"name":")" + name + R"(","shape":[1],"datatype":"FP32")";
  std::string ones = "1";
  for (int i = 0; i < 50'000; ++i) ones += ",1";
  const std::string bodies[] = {
      R"({"inputs":[)" + input + R"(,"data":[1,2]},)" + input + R"(,"data":[1]}]})",
      R"({"inputs":[)" + input + R"(,"data":[1]},)" + input + R"(,"data":[1]}]})",
      R"({"inputs":[)" + input + "}]}",
      R"({"inputs":[)" + input + R"(,"parameters":{"binary_data_size":9}}]})",
      R"({"inputs":[)" + input + R"(,"parameters":{")" + name + R"(":null}}]})",
      R"({"inputs":[{"name":")" + name + R"(","shape":[-1],"datatype":"FP32"}]})",
      R"({"inputs":[{"name":")" + name + R"(","shape":[1],"datatype":"FP16","data":[1]}]})",
      R"({"inputs":[{"name":")" + name + R"(","shape":[1],"datatype":"none"}]})",
      R"({"inputs":[{"name":")" + name + R"(","datatype":"FP64","shape":[)" + ones +
          ",4294967296,4294967296]," + R"("data":[1]}]})",
      R"({"inputs":[],"outputs":[{"name":")" + name + R"("}]})",
      R"({"inputs":[],"outputs":[{"name":"y","parameters":{")" + name + R"(":null}}]})",
      R"({"inputs":[],"parameters":{")" + name + R"(":[]}})",
  };
  for (const std::string& body : bodies) {
    const RawReply reply = Infer(body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_LT(reply.body.size(), 500U) << reply.body.substr(0, 200);
    const RawReply binary = InferBinary(body, "12345678");
    EXPECT_EQ(binary.status, 400);
    EXPECT_LT(binary.body.size(), 500U) << binary.body.substr(0, 200);
  }
}

TEST_F(InferRouteTest, LogsTheCall) {
  Start();
  EXPECT_EQ(Infer(kJson).status, 200);
  const CallRecord row = call_log_.WaitFor(1).front();
  EXPECT_EQ(row.api_name, "v2/echo");
  EXPECT_EQ(row.model, "echo");
  EXPECT_EQ(row.version, "3");
  EXPECT_EQ(row.code, 0);
  EXPECT_EQ(row.infer_ms, 5.0);
}

TEST_F(InferRouteTest, OnlyByPost) {
  Start();
  ExpectRefused(Ask(Get(kInfer)), 405, "");
}

}  // namespace
}  // namespace xcloud
