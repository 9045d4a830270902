// What is told about the server and its models below /v2.
#include "core/log.h"
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class V2MetadataTest : public ServerFixture {
 protected:
  Json GetJson(const std::string& target, int status = 200) {
    const RawReply reply = Ask(Get(target));
    EXPECT_EQ(reply.status, status) << target << ": " << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }
  // {"error":...} and nothing else.
  void ExpectRefusal(const std::string& request, int status, const std::string& error) {
    const RawReply reply = Ask(request);
    EXPECT_EQ(reply.status, status) << reply.body;
    const Json body = Json::parse(reply.body, nullptr, false);
    ASSERT_EQ(body.size(), 1U) << reply.body;
    EXPECT_EQ(body.value("error", ""), error);
  }
  void AddImageNet() {
    ServiceInfo info;
    info.name = "imagenet";
    info.version = "3";
    info.backend = "torchscript";
    info.platform = "pytorch_libtorch";
    info.state = ServiceState::kReady;
    info.max_batch = 16;
    info.inputs = {{"image", DataType::kFp32, {-1, 3, 224, 224}}};
    info.outputs = {{"probabilities", DataType::kFp32, {-1, 1000}}};
    service_.AddService(info);
  }
  void AddUnready(ServiceState state, const std::string& reason) {
    ServiceInfo info;
    info.name = "late";
    info.state = state;
    info.reason = reason;
    service_.AddService(info);
  }
};

TEST_F(V2MetadataTest, TheServerNamesOnlyExtensionsThatWork) {
  Start();
  const Json body = GetJson("/v2");
  EXPECT_EQ(body["name"], "xcloud");
  EXPECT_THAT(body["version"].get<std::string>(),
              ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(
      body["extensions"].get<std::vector<std::string>>(),
      UnorderedElementsAre("classification", "model_repository", "schedule_policy",
                           "model_configuration", "binary_tensor_data", "statistics", "logging"));
}

TEST_F(V2MetadataTest, HealthIsToldByStatusAndByBothKeys) {
  Start();
  EXPECT_EQ(GetJson("/v2/health/live"), Json({{"live", true}, {"ready", true}}));
  EXPECT_EQ(GetJson("/v2/health/ready"), Json({{"live", true}, {"ready", true}}));
  service_.SetReady(Status::Unavailable("loading"));
  EXPECT_EQ(GetJson("/v2/health/live", 200), Json({{"live", true}, {"ready", false}}));
  EXPECT_EQ(GetJson("/v2/health/ready", 503), Json({{"live", true}, {"ready", false}}));
}

TEST_F(V2MetadataTest, AModelTellsItsTensors) {
  Start();
  const Json body = GetJson("/v2/models/demo");
  EXPECT_EQ(body, Json::parse(R"({"name":"demo","versions":["1"],"platform":"puppet",
    "inputs":[{"name":"image","datatype":"BYTES","shape":[-1,1]}],
    "outputs":[{"name":"probabilities","datatype":"FP32","shape":[-1,3]}]})"));
  EXPECT_EQ(GetJson("/v2/models/demo/versions/1"), body);
  EXPECT_EQ(GetJson("/v2/models/d%65mo"), body);
}

TEST_F(V2MetadataTest, UnknownModelsAndVersionsInTritonsWords) {
  Start();
  for (const char* what : {"", "/ready", "/config", "/stats"}) {
    const std::string path = what;
    ExpectRefusal(Get("/v2/models/none" + path), 404,
                  "Request for unknown model: 'none' is not found");
    ExpectRefusal(Get("/v2/models/demo/versions/2" + path), 404,
                  "Request for unknown model: 'demo' version 2 is not found; it serves 1");
    ExpectRefusal(Get("/v2/models/demo/versions/canary" + path), 404,
                  "Request for unknown model: 'demo' version canary is not found; it serves 1");
    for (const char* version : {"Latest", "-1", "0", "1x"}) {
      ExpectRefusal(Get("/v2/models/demo/versions/" + std::string(version) + path), 400,
                    "failed to get model version from specified version string '" +
                        std::string(version) +
                        "', version should be an integral value > 0 or a label");
    }
    ExpectRefusal(Get("/v2/models/..%2Fsecret" + path), 400,
                  "model name must not contain path traversal characters");
  }
}

TEST_F(V2MetadataTest, AModelThatDoesNotServeIs503WithTheReason) {
  AddUnready(ServiceState::kNoWeights, "late.pt is not installed");
  Start();
  const std::string why =
      "Request for unknown model: 'late' has no available versions: no_weights, late.pt is not "
      "installed";
  ExpectRefusal(Get("/v2/models/late"), 503, why);
  ExpectRefusal(Get("/v2/models/late/config"), 503, why);
  ExpectRefusal(Get("/v2/models/late/stats"), 503, why);
  const Json ready = GetJson("/v2/models/late/ready", 503);
  EXPECT_EQ(ready, Json({{"name", "late"}, {"ready", false}, {"error", why}}));
  EXPECT_EQ(GetJson("/v2/models/demo/ready"), Json({{"name", "demo"}, {"ready", true}}));
  EXPECT_EQ(GetJson("/v2/models/demo/versions/1/ready")["ready"], true);
}

TEST_F(V2MetadataTest, TheConfigurationHasWhatPerfAnalyzerAndImageClientRead) {
  AddImageNet();
  BatchingView view;
  view.current.limits.max_batch = 8;
  view.current.limits.max_queue_delay = std::chrono::microseconds(1500);
  view.current.limits.latency_goal = milliseconds(100);
  view.current.limits.queue_capacity = 64;
  view.current.limits.priority = Priority::kHigh;
  service_.SetBatching(view);
  Start();
  const Json config = GetJson("/v2/models/imagenet/config");
  EXPECT_EQ(config["name"], "imagenet");
  EXPECT_EQ(config["platform"], "pytorch_libtorch");
  EXPECT_EQ(config["backend"], "torchscript");
  EXPECT_EQ(config["max_batch_size"], 16);
  EXPECT_EQ(config["input"], Json::parse(R"([{"name":"image","data_type":"TYPE_FP32",
    "format":"FORMAT_NCHW","dims":[3,224,224],"is_shape_tensor":false,"optional":false}])"));
  EXPECT_EQ(config["output"], Json::parse(R"([{"name":"probabilities","data_type":"TYPE_FP32",
    "dims":[1000],"label_filename":"","is_shape_tensor":false}])"));
  EXPECT_EQ(config["dynamic_batching"], Json::parse(R"({"preferred_batch_size":[8],
    "max_queue_delay_microseconds":1500,"preserve_ordering":false,"priority_levels":3,
    "default_priority_level":1,"default_queue_policy":{"timeout_action":"REJECT",
    "default_timeout_microseconds":100000,"allow_timeout_override":true,"max_queue_size":64},
    "priority_queue_policy":{}})"));
  EXPECT_EQ(config["model_transaction_policy"]["decoupled"], false);
  EXPECT_EQ(config["response_cache"]["enable"], false);
  EXPECT_TRUE(config["parameters"].empty());
  EXPECT_EQ(GetJson("/v2/models/imagenet/versions/3/config"), config);
}

TEST_F(V2MetadataTest, LabelsLayoutsAndSyntheticModelsAreInTheConfiguration) {
  ServiceInfo info = *service_.Find("demo");
  info.name = "pixels";
  info.synthetic = true;
  info.inputs = {{"image", DataType::kUint8, {-1, 224, 224, 3}}, {"mask", DataType::kBf16, {-1}}};
  service_.AddService(info);
  Start();
  const Json config = GetJson("/v2/models/pixels/config");
  EXPECT_EQ(config["input"][0]["format"], "FORMAT_NHWC");
  EXPECT_EQ(config["input"][0]["data_type"], "TYPE_UINT8");
  EXPECT_EQ(config["input"][1]["format"], "FORMAT_NONE");
  EXPECT_EQ(config["input"][1]["data_type"], "TYPE_BF16");
  EXPECT_EQ(config["input"][1]["dims"], Json::array()) << "as its shape [-1]";
  EXPECT_EQ(config["output"][0]["label_filename"], "labels.txt");
  EXPECT_EQ(config["parameters"]["synthetic"]["string_value"], "true");
  const Json photos = GetJson("/v2/models/demo/config");
  EXPECT_EQ(photos["input"][0]["data_type"], "TYPE_STRING");
  EXPECT_EQ(photos["input"][0]["format"], "FORMAT_NONE");
}

TEST_F(V2MetadataTest, StatisticsHaveEveryKeyAlsoWithoutACache) {
  ModelStatistics statistics;
  statistics.name = "demo";
  statistics.version = "1";
  statistics.last_inference_ms = 1'700'000'000'000;
  statistics.inference_count = 12;
  statistics.execution_count = 4;
  statistics.success = {10, 1000};
  statistics.fail = {1, 50};
  statistics.queue = {10, 300};
  statistics.compute_input = {10, 200};
  statistics.compute_infer = {10, 400};
  statistics.compute_output = {10, 100};
  statistics.batches = {{1, {2, 11}, {2, 12}, {2, 13}}, {5, {2, 21}, {2, 22}, {2, 23}}};
  service_.SetStatistics(statistics);
  Start();
  const Json body = GetJson("/v2/models/demo/stats");
  EXPECT_EQ(body, Json::parse(R"({"model_stats":[{"name":"demo","version":"1",
    "last_inference":1700000000000,"inference_count":12,"execution_count":4,
    "inference_stats":{"success":{"count":10,"ns":1000},"fail":{"count":1,"ns":50},
      "queue":{"count":10,"ns":300},"compute_input":{"count":10,"ns":200},
      "compute_infer":{"count":10,"ns":400},"compute_output":{"count":10,"ns":100},
      "cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},
    "batch_stats":[
      {"batch_size":1,"compute_input":{"count":2,"ns":11},"compute_infer":{"count":2,"ns":12},
       "compute_output":{"count":2,"ns":13}},
      {"batch_size":5,"compute_input":{"count":2,"ns":21},"compute_infer":{"count":2,"ns":22},
       "compute_output":{"count":2,"ns":23}}],
    "response_stats":{},"memory_usage":[]}]})"));
  EXPECT_EQ(GetJson("/v2/models/demo/versions/1/stats"), body);
}

TEST_F(V2MetadataTest, AllStatisticsAreOfEveryModelAndNoModelIsCalledStats) {
  AddImageNet();
  Start();
  EXPECT_EQ(GetJson("/v2/models/stats")["model_stats"].size(), 2U);
}

TEST_F(V2MetadataTest, UnknownPathsAndWrongVerbsInTritonsWords) {
  Start();
  for (const char* path : {"/v2/", "/v2/none", "/v2/models", "/v2/models/", "/v2/models/demo/none",
                           "/v2/models/demo/versions/1/none", "/v2/health"}) {
    ExpectRefusal(Get(path), 404, "Not Found");
  }
  for (const char* path : {"/v2", "/v2/health/live", "/v2/models/demo", "/v2/models/demo/ready",
                           "/v2/models/demo/config", "/v2/models/stats"}) {
    ExpectRefusal(Post(path, "", ""), 405, "Method Not Allowed");
  }
  ExpectRefusal(Get("/v2/repository/index"), 405, "Method Not Allowed");
  EXPECT_EQ(Ask(Post("/v2/models/stats", "", "")).Header("allow"), "GET, HEAD");
}

TEST_F(V2MetadataTest, HeadOfAModelHasNoBody) {
  Start();
  RawClient client(port());
  const RawReply head = client.Ask("HEAD /v2/models/demo HTTP/1.1\r\nHost: t\r\n\r\n", true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(client.Ask(Get("/v2/health/live")).status, 200);
}

TEST_F(V2MetadataTest, TraceSettingsAreToldToBeMissing) {
  Start();
  for (const char* path : {"/v2/trace/setting", "/v2/models/demo/trace/setting"}) {
    for (const std::string& request : {Get(path), Post(path, "", "{\"trace_level\":[\"OFF\"]}")}) {
      const RawReply reply = Ask(request);
      EXPECT_EQ(reply.status, 501);
      EXPECT_THAT(Json::parse(reply.body)["error"].get<std::string>(),
                  HasSubstr("tracing is not supported"));
    }
  }
}

class V2LoggingTest : public V2MetadataTest {
 protected:
  V2LoggingTest() : before_(spdlog::get_level()) { spdlog::set_level(spdlog::level::info); }
  ~V2LoggingTest() override { spdlog::set_level(before_); }

  static std::string Change(const std::string& body, const std::string& headers = "") {
    return "POST /v2/logging HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  Json Changed(const std::string& body) {
    const RawReply reply = Ask(Change(body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }

 private:
  const spdlog::level::level_enum before_;
};

TEST_F(V2LoggingTest, TellsTheLevelInTritonsWords) {
  Start();
  EXPECT_EQ(GetJson("/v2/logging"),
            Json::parse(R"({"log_file":"","log_info":true,"log_warning":true,"log_error":true,
                            "log_verbose_level":0,"log_format":"ISO8601"})"));
}

TEST_F(V2LoggingTest, ChangesTheLevel) {
  Start();
  EXPECT_EQ(Changed(R"({"log_verbose_level":1})")["log_verbose_level"], 1);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::debug);
  EXPECT_EQ(Changed(R"({"log_verbose_level":0,"log_info":false})")["log_info"], false);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::warn);
  EXPECT_EQ(Changed(R"({"log_warning":false})")["log_error"], true);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::err);
  EXPECT_EQ(Changed(R"({"log_error":false})")["log_error"], false);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::off);
  EXPECT_EQ(GetJson("/v2/logging")["log_error"], false);
  Changed(R"({"log_info":true,"log_warning":true,"log_error":true,"log_format":"ISO8601"})");
  EXPECT_EQ(spdlog::get_level(), spdlog::level::info);
  Changed("");
  EXPECT_EQ(spdlog::get_level(), spdlog::level::info);
}

TEST_F(V2LoggingTest, RefusesByNameWhatItDoesNotHave) {
  Start();
  const std::pair<const char*, const char*> cases[] = {
      {R"({"log_file":"x.log"})", "log file location can not be updated through network protocol"},
      {R"({"log_format":"default"})", "'log_format' is not supported other than as \"ISO8601\""},
      {R"({"log_colour":true})", "unknown log setting 'log_colour'"},
      {R"({"log_info":1})", "'log_info' must be a boolean"},
      {R"({"log_verbose_level":2})", "'log_verbose_level' must be 0 or 1"},
      {R"({"log_verbose_level":-1})", "'log_verbose_level' must be 0 or 1"},
      {R"({"log_verbose_level":true})", "'log_verbose_level' must be 0 or 1"},
      {R"({"log_warning":false})",
       "log levels are ordered: log_verbose_level needs log_info, log_info needs log_warning, "
       "log_warning needs log_error"},
      {R"([])", "the request must be a JSON object"},
  };
  for (const auto& [body, error] : cases) ExpectRefusal(Change(body), 400, error);
  EXPECT_THAT(Ask(Change(R"({"log_info")")).body,
              HasSubstr("failed to parse the request JSON buffer"));
  EXPECT_EQ(spdlog::get_level(), spdlog::level::info) << "nothing was changed";
}

TEST_F(V2LoggingTest, OnlyOperatorsChangeIt) {
  Start();
  const std::string body = R"({"log_verbose_level":1})";
  const RawReply forwarded = Ask(Change(body, "X-Forwarded-For: 203.0.113.7\r\n"));
  EXPECT_EQ(forwarded.status, 403);
  EXPECT_THAT(forwarded.body, HasSubstr("{\"error\":\"This API is restricted"));
  EXPECT_EQ(Ask(Change(body, "Origin: http://evil.example\r\n")).status, 403);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::info);
}

TEST_F(V2LoggingTest, NobodyChangesItWhereAdminIsOff) {
  config_.admin = "off";
  Start();
  ExpectRefusal(Change("{}"), 403, "This API is restricted: [server] admin is off");
  EXPECT_EQ(GetJson("/v2/logging")["log_info"], true);
}

}  // namespace
}  // namespace xcloud
