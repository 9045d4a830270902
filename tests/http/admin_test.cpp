// /admin over the wire, and readiness per device.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdminTest : public ServerFixture {
 protected:
  static std::string Send(const std::string& method, const std::string& target,
                          const std::string& headers = "", const std::string& body = "") {
    return method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  RawReply Patch(const std::string& body, const std::string& headers = "",
                 const std::string& name = "demo") {
    return Ask(Send("PATCH", "/admin/models/" + name + "/batching",
                    "Content-Type: application/json\r\n" + headers, body));
  }
  RawReply Show(const std::string& headers = "") {
    return Ask(Send("GET", "/admin/models/demo/batching", headers));
  }
  void SetVersion(std::uint64_t version) {
    BatchingView view;
    view.current.version = version;
    view.max_batch_limit = 16;
    service_.SetBatching(view);
  }
};

TEST_F(AdminTest, ShowsTheKnobsWithTheirVersionAsETag) {
  SetVersion(3);
  Start();
  const RawReply reply = Show();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("etag"), "\"3\"");
  EXPECT_EQ(reply.Header("cache-control"), "no-store");
  const Json body = Json::parse(reply.body);
  EXPECT_EQ(body["name"], "demo");
  EXPECT_EQ(body["version"], 3);
  EXPECT_EQ(body["max_batch_limit"], 16);
  ExpectError(Ask(Send("GET", "/admin/models/none/batching")), 404, 404, "none");
}

TEST_F(AdminTest, APatchAnswersTheNewView) {
  SetVersion(3);
  Start();
  const RawReply reply = Patch(R"({"max_batch":8,"priority":"high"})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("etag"), "\"4\"");
  EXPECT_EQ(Json::parse(reply.body)["version"], 4);
  ASSERT_EQ(service_.patches().size(), 1U);
  const BatchingPatch patch = service_.patches()[0];
  EXPECT_EQ(patch.max_batch, 8U);
  EXPECT_EQ(patch.priority, Priority::kHigh);
  EXPECT_FALSE(patch.defer);
  EXPECT_FALSE(patch.expected_version) << "none was named";
}

TEST_F(AdminTest, AWrongPatchChangesNothing) {
  Start();
  ExpectError(Patch(R"({"max_batch":"8","colour":1})"), 400, 400, "colour is not a knob");
  ExpectError(Patch("max_batch=8"), 400, 400, "not JSON");
  ExpectError(Patch("{\"a\":\"" + std::string(70'000, 'x') + "\"}"), 413, 413, "65536");
  ExpectError(Patch("{}", "", "none"), 404, 404, "none");
  ExpectError(Ask(Send("PATCH", "/admin/models/demo/batching", "", "{\"max_batch\":8}")), 415, 415,
              "application/json");
  ExpectError(Patch("{\"max_batch\":8}", "Content-Encoding: gzip\r\n"), 415, 415);
  EXPECT_TRUE(service_.patches().empty());
  service_.SetChange(Status::InvalidArgument("max_batch must be 1 to 16, is 99"));
  ExpectError(Patch(R"({"max_batch":99})"), 400, 400, "1 to 16");
}

TEST_F(AdminTest, IfMatchMustNameTheCurrentVersion) {
  SetVersion(3);
  Start();
  const std::string body = R"({"defer":true})";
  for (const char* tags : {"\"2\"", "W/\"3\"", "3", "", "\"2\", \"33\""}) {
    ExpectError(Patch(body, "If-Match: " + std::string(tags) + "\r\n"), 412, 412, "version 3");
  }
  EXPECT_TRUE(service_.patches().empty());
  EXPECT_EQ(Patch(body, "If-Match: \"2\", \"3\"\r\n").status, 200);
  EXPECT_EQ(service_.patches().back().expected_version, 3U) << "the service checks it again";
  EXPECT_EQ(Patch(body, "If-Match: *\r\n").status, 200);
  EXPECT_FALSE(service_.patches().back().expected_version);
}

TEST_F(AdminTest, AChangeInBetweenIs412ForIfMatchAnd409ForTheBodysVersion) {
  SetVersion(3);
  service_.SetChange(Status::AlreadyExists("version 4 is current"));
  Start();
  ExpectError(Patch(R"({"defer":true})", "If-Match: \"3\"\r\n"), 412, 412, "version 4");
  ExpectError(Patch(R"({"defer":true,"version":3})"), 409, 409, "version 4");
  EXPECT_EQ(service_.patches().back().expected_version, 3U);
}

TEST_F(AdminTest, LoadAndUnloadBeginAndSayWhatStateItIsIn) {
  Start();
  const RawReply load = Ask(Send("POST", "/admin/models/demo/load"));
  EXPECT_EQ(load.status, 202);
  EXPECT_EQ(load.body, R"({"name":"demo","state":"ready"})");
  EXPECT_EQ(Ask(Send("POST", "/admin/models/demo/unload")).status, 202);
  EXPECT_THAT(service_.operations(), ElementsAre("load demo", "unload demo"));
  ExpectError(Ask(Send("POST", "/admin/models/none/load")), 404, 404, "none");
  ExpectError(Ask(Send("POST", "/admin/models/none/unload")), 404, 404, "none");
}

TEST_F(AdminTest, OtherMethodsAreToldWhichThereAre) {
  Start();
  const RawReply reply = Ask(Send("POST", "/admin/models/demo/batching"));
  ExpectError(reply, 405, 2);
  EXPECT_EQ(reply.Header("allow"), "GET, HEAD, PATCH");
  EXPECT_EQ(Ask(Send("GET", "/admin/models/demo/load")).Header("allow"), "POST");
}

TEST_F(AdminTest, ForwardedAndCrossSiteCallersAre403BeforeAnythingIsDone) {
  Start();
  for (const char* header :
       {"X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7",
        "X-Forwarded-For:", "Via: 1.1 proxy", "Origin: http://evil.example", "Origin: null"}) {
    const std::string line = std::string(header) + "\r\n";
    ExpectError(Show(line), 403, 403, "/admin is");
    ExpectError(Ask(Send("POST", "/admin/models/demo/unload", line)), 403, 403);
    ExpectError(Patch(R"({"defer":true})", line), 403, 403);
  }
  ExpectError(Ask(Get("/admin/models/demo/batching")), 403, 403, "IP address");
  EXPECT_TRUE(service_.operations().empty());
  EXPECT_TRUE(service_.patches().empty());
  EXPECT_EQ(Show("Origin: http://127.0.0.1\r\n").status, 200);
}

TEST_F(AdminTest, AnIPv4CallerOfAnIPv6SocketIsLocalToo) {
  config_.address = "::";
  server_ = std::make_unique<HttpServer>(config_, service_, call_log_, metrics_, clock_);
  if (!server_->Start().ok()) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(Show().status, 200) << "the peer is ::ffff:127.0.0.1";
}

TEST_F(AdminTest, AnyIsForWhoeverReachesThePort) {
  config_.admin = "any";
  Start();
  EXPECT_EQ(Show("X-Forwarded-For: 203.0.113.7\r\n").status, 200);
  EXPECT_EQ(Ask(Get("/admin/models/demo/batching")).status, 200);
  ExpectError(Show("Origin: http://evil.example\r\n"), 403, 403);
}

TEST_F(AdminTest, OffIsAsIfThereWereNothing) {
  config_.admin = "off";
  Start();
  ExpectError(Show(), 404, 404, "there is nothing at /admin/models/demo/batching");
  ExpectError(Ask(Send("PUT", "/admin/models/demo/batching")), 404, 404, "nothing");
  ExpectError(Ask(Send("POST", "/admin/models/demo/unload")), 404, 404);
  EXPECT_TRUE(service_.operations().empty());
}

TEST_F(AdminTest, DevicesTellTheirReadinessOneByOne) {
  DeviceHealth well{"cpu0", DeviceState::kReady, "", 2, 1, 0};
  DeviceHealth ill{"cuda0", DeviceState::kQuarantined, "illegal address", 1, 0, 3};
  service_.SetDevices({well, ill});
  Start();
  const Json list = Json::parse(Ask(Get("/api/devices")).body);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["name"], "cpu0");
  EXPECT_EQ(list[0]["state"], "ready");
  EXPECT_EQ(list[0]["lanes"], 2);
  EXPECT_EQ(list[0]["busy"], 1);
  EXPECT_EQ(Ask(Get("/api/devices/cpu0")).status, 200);
  const RawReply sick = Ask(Get("/api/devices/cuda0"));
  EXPECT_EQ(sick.status, 503);
  const Json body = Json::parse(sick.body);
  EXPECT_EQ(body, list[1]);
  EXPECT_EQ(body["state"], "quarantined");
  EXPECT_EQ(body["reason"], "illegal address");
  EXPECT_EQ(body["faults"], 3);
  ExpectError(Ask(Get("/api/devices/none")), 404, 404, "'none'");
  const Json ready = Json::parse(Ask(Get("/readyz")).body);
  EXPECT_EQ(ready["ready"], true) << "the service decides; one of two devices is enough";
  EXPECT_EQ(ready["devices"][1]["name"], "cuda0");
  EXPECT_EQ(ready["devices"][1]["state"], "quarantined");
}

}  // namespace
}  // namespace xcloud
