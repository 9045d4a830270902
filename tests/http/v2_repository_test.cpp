// The repository below /v2: index, load, unload.
#include <thread>

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class V2RepositoryTest : public ServerFixture {
 protected:
  static std::string Send(const std::string& target, const std::string& body = "",
                          const std::string& headers = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string Load(const std::string& name, const std::string& body = "",
                          const std::string& headers = "") {
    return Send("/v2/repository/models/" + name + "/load", body, headers);
  }
  static std::string Unload(const std::string& name, const std::string& body = "",
                            const std::string& headers = "") {
    return Send("/v2/repository/models/" + name + "/unload", body, headers);
  }
  void ExpectRefusal(const std::string& request, int status, const std::string& error) {
    const RawReply reply = Ask(request);
    EXPECT_EQ(reply.status, status) << reply.body;
    const Json body = Json::parse(reply.body, nullptr, false);
    ASSERT_EQ(body.size(), 1U) << reply.body;
    EXPECT_THAT(body.value("error", ""), HasSubstr(error));
  }
  void AddService(const std::string& name, ServiceState state, const std::string& reason = "") {
    ServiceInfo info;
    info.name = name;
    info.state = state;
    info.reason = reason;
    service_.AddService(info);
  }
};

TEST_F(V2RepositoryTest, TheIndexHasEachModelsState) {
  AddService("bare", ServiceState::kNoWeights, "bare.pt is not installed");
  AddService("broken", ServiceState::kFailed, "not a TorchScript file");
  AddService("coming", ServiceState::kLoading, "loading");
  AddService("gone", ServiceState::kUnloaded);
  Start();
  const Json all = Json::parse(R"([
    {"name":"demo","version":"1","state":"READY","reason":""},
    {"name":"bare","state":"UNAVAILABLE","reason":"bare.pt is not installed"},
    {"name":"broken","state":"UNAVAILABLE","reason":"not a TorchScript file"},
    {"name":"coming","state":"LOADING","reason":"loading"},
    {"name":"gone","state":"UNAVAILABLE","reason":"unloaded"}])");
  for (const char* body : {"", "{}", " \n", R"({"ready":false})", R"({"other":[1]})"}) {
    const RawReply reply = Ask(Send("/v2/repository/index", body));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(Json::parse(reply.body, nullptr, false), all) << body;
  }
  const RawReply ready = Ask(Send("/v2/repository/index", R"({"ready":true})"));
  EXPECT_EQ(Json::parse(ready.body), Json::array({all[0]}));
}

TEST_F(V2RepositoryTest, TheIndexRefusesBodiesThatAreNoQuestion) {
  Start();
  for (const char* body : {R"({"ready":1})", R"({"ready":"true"})", R"({"ready":null})"}) {
    ExpectRefusal(Send("/v2/repository/index", body), 400,
                  "Invalid value for 'ready': expected a boolean");
  }
  ExpectRefusal(Send("/v2/repository/index", "[]"), 400, "must be a JSON object");
  ExpectRefusal(Send("/v2/repository/index", "{"), 400, "failed to parse");
  ExpectRefusal(Send("/v2/repository/index", std::string((1 << 20) + 1, ' ')), 413, "");
  ExpectRefusal(Send("/v2/repository/other/index", "{}"), 501,
                "'repository_name' specification is not supported");
}

TEST_F(V2RepositoryTest, DeepNestingIsRefusedWithoutACrash) {
  Start();
  const std::string deep = "JSON nesting depth exceeds maximum allowed limit (100)";
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(Ask(Send("/v2/repository/index", nested(100))).status, 200);
  ExpectRefusal(Send("/v2/repository/index", nested(101)), 400, deep);
  ExpectRefusal(Send("/v2/repository/index", nested(250'000)), 400, deep);
  ExpectRefusal(Send("/v2/repository/index", std::string(250'000, '[')), 400, deep);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  ExpectRefusal(Send("/v2/repository/index", objects), 400, deep);
  EXPECT_EQ(
      Ask(Send("/v2/repository/index", "{\"a\":\"" + std::string(500, '[') + "\\\"[\"}")).status,
      200)
      << "brackets in a string nest nothing";
  EXPECT_EQ(Ask(Get("/v2/health/live")).status, 200);
}

TEST_F(V2RepositoryTest, LoadAndUnloadAnswerWhenTheyAreDone) {
  Start();
  EXPECT_EQ(Ask(Load("demo")).status, 200);
  EXPECT_EQ(Ask(Load("demo", "{}")).status, 200);
  EXPECT_EQ(Ask(Load("demo", R"({"parameters":{}})")).status, 200);
  EXPECT_EQ(Ask(Unload("demo")).status, 200);
  EXPECT_EQ(Ask(Unload("demo", R"({"parameters":{"unload_dependents":true}})")).status, 200);
  EXPECT_THAT(service_.operations(),
              ElementsAre("load demo", "load demo", "load demo", "unload demo", "unload demo"));
}

TEST_F(V2RepositoryTest, TheAnswerWaitsForTheEndAndOthersAreServedMeanwhile) {
  service_.HoldOperations();
  Start();
  RawClient loading(port());
  loading.Send(Load("demo"));
  StatusCallback done = service_.TakeOperation();
  EXPECT_EQ(Ask(Get("/v2/health/live")).status, 200) << "on the same io thread";
  EXPECT_FALSE(loading.WaitReadable(0));
  std::thread([&done] { done(Status::Ok()); }).join();
  EXPECT_EQ(loading.Receive().status, 200);
}

TEST_F(V2RepositoryTest, ACallerThatLeavesLosesTheAnswerNotTheLoad) {
  service_.HoldOperations();
  Start();
  StatusCallback done;
  {
    RawClient leaving(port());
    leaving.Send(Load("demo"));
    done = service_.TakeOperation();
  }
  EXPECT_EQ(Ask(Get("/v2/health/live")).status, 200);
  done(Status::Ok());
  EXPECT_EQ(Ask(Get("/v2/health/live")).status, 200);
}

TEST_F(V2RepositoryTest, ADoneThatComesAfterTheServerIsDropped) {
  service_.HoldOperations();
  Start();
  RawClient loading(port());
  loading.Send(Load("demo"));
  const StatusCallback done = service_.TakeOperation();
  server_->Stop();
  done(Status::Ok());
}

TEST_F(V2RepositoryTest, FailuresAreToldInTritonsWords) {
  Start();
  ExpectRefusal(Load("none"), 400, "failed to load 'none', failed to poll from model repository");
  ExpectRefusal(Unload("none"), 400,
                "failed to unload 'none', failed to poll from model repository");
  service_.SetOperation(Status::Internal("not a TorchScript file"));
  ExpectRefusal(Load("demo"), 500, "failed to load 'demo', not a TorchScript file");
  service_.SetOperation(Status::Unavailable("stopping"));
  ExpectRefusal(Unload("demo"), 503, "failed to unload 'demo', stopping");
  service_.SetOperation(Status::Cancelled("overtaken"));
  ExpectRefusal(Load("demo"), 400, "another load or unload");
}

TEST_F(V2RepositoryTest, UnloadingWhatIsOutIsDone) {
  AddService("gone", ServiceState::kUnloaded);
  Start();
  EXPECT_EQ(Ask(Unload("gone")).status, 200);
  EXPECT_THAT(service_.operations(), IsEmpty());
}

TEST_F(V2RepositoryTest, NamesThatAreNoneAreRefused) {
  Start();
  const std::string empty = "Model name cannot be empty. Please enter a valid name to deploy.";
  ExpectRefusal(Load(""), 400, empty);
  ExpectRefusal(Unload(""), 400, empty);
  for (const char* name : {"..%2F..%2Fetc", "..", ".", "a%5Cb", "a%2Fb", "%00"}) {
    ExpectRefusal(Load(name), 400, "model name must not contain path traversal characters");
    ExpectRefusal(Unload(name), 400, "model name must not contain path traversal characters");
  }
  EXPECT_THAT(service_.operations(), IsEmpty());
}

TEST_F(V2RepositoryTest, OverridesAreRefusedByName) {
  Start();
  ExpectRefusal(Load("demo", R"({"parameters":{"config":"{}"}})"), 501,
                "failed to load 'demo', the parameter 'config' is not supported");
  ExpectRefusal(Load("demo", R"({"parameters":{"file:1/model.pt":"AAAA"}})"), 501,
                "the parameter 'file:1/model.pt' is not supported");
  for (const char* path :
       {"../x", "1/../../x", "/etc/passwd", "..", "1/../../demo/x", "", "./../x"}) {
    const Json body = {{"parameters", {{"config", "{}"}, {"file:" + std::string(path), "AAAA"}}}};
    ExpectRefusal(Load("demo", body.dump()), 400, "failed to load 'demo', the path of the");
  }
  ExpectRefusal(Load("demo", R"({"parameters":{"speed":1}})"), 400,
                "unrecognized load parameter 'speed'");
  ExpectRefusal(Load("demo", R"({"parameters":[]})"), 400, "'parameters' must be an object");
  ExpectRefusal(Unload("demo", R"({"parameters":{"unload_dependents":1}})"), 400,
                "'unload_dependents' must be a boolean");
  ExpectRefusal(Unload("demo", R"({"parameters":{"x":true}})"), 400,
                "unrecognized unload parameter 'x'");
  EXPECT_THAT(service_.operations(), IsEmpty());
}

TEST_F(V2RepositoryTest, OnlyOperatorsControlIt) {
  Start();
  for (const char* header :
       {"X-Forwarded-For: 203.0.113.7", "Via: 1.1 proxy", "Origin: http://evil.example"}) {
    const std::string line = std::string(header) + "\r\n";
    ExpectRefusal(Load("demo", "", line), 403, "This API is restricted: model control is");
    ExpectRefusal(Unload("demo", "", line), 403, "This API is restricted");
    EXPECT_EQ(Ask(Send("/v2/repository/index", "", line)).status, 200) << "reading is for all";
  }
  ExpectRefusal(Post("/v2/repository/models/demo/load", "", ""), 403, "not by a name");
  EXPECT_THAT(service_.operations(), IsEmpty());
}

TEST_F(V2RepositoryTest, AnyAndOff) {
  config_.admin = "any";
  Start();
  EXPECT_EQ(Ask(Post("/v2/repository/models/demo/load", "Via: 1.1 proxy\r\n", "")).status, 200);
  config_.admin = "off";
  Start();
  ExpectRefusal(Load("demo"), 503, "explicit model load / unload is not allowed");
  ExpectRefusal(Unload("demo"), 503, "explicit model load / unload is not allowed");
  EXPECT_EQ(Ask(Send("/v2/repository/index")).status, 200);
  EXPECT_THAT(service_.operations(), ElementsAre("load demo"));
}

}  // namespace
}  // namespace xcloud
