// Several versions of a model, at every door: named by number or label, listed, counted.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class VersionsTest : public ServerFixture {
 protected:
  VersionsTest() {
    ServiceInfo info = *service_.Find("demo");
    info.name = "many";
    info.route = "/cv/many";
    info.version_policy = "all";
    info.versions = {{"1", ServiceState::kReady, "", {"stable"}},
                     {"2", ServiceState::kReady, "", {"canary", "next"}},
                     {"10", ServiceState::kFailed, "no network", {}}};
    service_.AddService(info);
  }
  Json GetJson(const std::string& target, int status = 200) {
    const RawReply reply = Ask(Get(target));
    EXPECT_EQ(reply.status, status) << target << ": " << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }
  std::string AskedVersion(const std::string& request) {
    const std::size_t before = service_.requests().size();
    const RawReply reply = Ask(request);
    EXPECT_EQ(reply.status, 200) << reply.body;
    if (service_.requests().size() == before) return "not asked";
    EXPECT_EQ(service_.admitted_version(), service_.requests().back().version)
        << "the door asks about the version that is meant";
    return service_.requests().back().version;
  }
};

TEST_F(VersionsTest, CvTakesAVersionInTheQueryAndInAHeader) {
  Start();
  EXPECT_EQ(AskedVersion(Post("/cv/many", "", "photo")), "");
  EXPECT_EQ(AskedVersion(Post("/cv/many?version=canary", "", "photo")), "canary");
  EXPECT_EQ(AskedVersion(Post("/cv/many?model_version=2", "", "photo")), "2");
  EXPECT_EQ(AskedVersion(Post("/cv/many", "X-Model-Version: 2\r\n", "photo")), "2");
  EXPECT_EQ(AskedVersion(Post("/cv/many?version=1", "X-Model-Version: canary\r\n", "photo")),
            "canary")
      << "the header has the last word";
  EXPECT_EQ(Ask(Post("/cv/many?version=" + std::string(65, 'v'), "", "x")).status, 400);
}

TEST_F(VersionsTest, AVersionThatIsNotServedIsRefusedBeforeTheBodyIsRead) {
  Start();
  service_.SetAdmit(Status::NotFound("service 'many' has no version '7'; it serves 1, 2"));
  const RawReply reply = Ask(Post("/cv/many?version=7", "", "photo"));
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(reply.body, HasSubstr("it serves 1, 2"));
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(VersionsTest, PredictionsTakeALabelInThePath) {
  Start();
  EXPECT_EQ(AskedVersion(Post("/predictions/many/canary", "", "photo")), "canary");
  EXPECT_EQ(AskedVersion(Post("/predictions/many/2", "X-Model-Version: 1\r\n", "photo")), "2")
      << "the path has the last word";
}

TEST_F(VersionsTest, V2NamesAVersionInThePathTheHeaderOrTheBody) {
  Start();
  const auto body = [](const std::string& parameters) {
    return R"({"inputs":[{"name":"image","datatype":"BYTES","shape":[1,1],"data":["x"]}])" +
           (parameters.empty() ? "" : ",\"parameters\":" + parameters) + "}";
  };
  const auto infer = [&](const std::string& path, const std::string& headers,
                         const std::string& parameters) {
    return Post("/v2/models/many" + path + "/infer", headers, body(parameters));
  };
  Tensor output{"probabilities", DataType::kFp32, {1, 3}, SharedBytes(std::string(12, '\0'))};
  service_.answer.outputs = {output};
  EXPECT_EQ(AskedVersion(infer("", "", "")), "");
  EXPECT_EQ(AskedVersion(infer("/versions/canary", "", "")), "canary");
  EXPECT_EQ(AskedVersion(infer("/versions/2", "X-Model-Version: 1\r\n", "")), "2");
  EXPECT_EQ(AskedVersion(infer("", "X-Model-Version: 1\r\n", "{\"version\":\"2\"}")), "1");
  const auto asked = [&](const std::string& parameters) {
    EXPECT_EQ(Ask(infer("", "", parameters)).status, 200);
    return service_.requests().back().version;
  };
  EXPECT_EQ(asked("{\"version\":\"canary\"}"), "canary");
  EXPECT_EQ(asked("{\"version\":2}"), "2");
  const RawReply unknown = Ask(infer("", "", "{\"version\":\"7\"}"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("version 7 is not found; it serves 1 (stable), "
                                      "2 (canary, next)"));
  EXPECT_EQ(Ask(infer("", "", "{\"version\":\"-1\"}")).status, 400);
  EXPECT_EQ(Ask(infer("", "", "{\"version\":true}")).status, 400);
}

TEST_F(VersionsTest, MetadataListsWhatAnswers) {
  Start();
  EXPECT_EQ(GetJson("/v2/models/many")["versions"], Json({"1", "2"}));
  EXPECT_EQ(GetJson("/v2/models/many/versions/canary")["versions"], Json({"1", "2"}));
  EXPECT_EQ(GetJson("/v2/models/many/versions/2/ready")["ready"], true);
  const Json failed = GetJson("/v2/models/many/versions/10/ready", 503);
  EXPECT_EQ(failed["ready"], false);
  EXPECT_THAT(failed["error"].get<std::string>(), HasSubstr("no network"));
  EXPECT_EQ(GetJson("/v2/models/many/config")["version_policy"], Json::parse(R"({"all":{}})"));
  GetJson("/v2/models/many/versions/3", 404);
}

TEST_F(VersionsTest, TheIndexHasARowAVersion) {
  Start();
  const RawReply reply = Ask(Post("/v2/repository/index", "", "{}"));
  const Json rows = Json::parse(reply.body);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[1], Json::parse(R"({"name":"many","version":"1","state":"READY","reason":"",
                                     "labels":["stable"]})"));
  EXPECT_EQ(rows[3], Json::parse(R"({"name":"many","version":"10","state":"UNAVAILABLE",
                                     "reason":"no network"})"));
  const RawReply ready = Ask(Post("/v2/repository/index", "", R"({"ready":true})"));
  EXPECT_EQ(Json::parse(ready.body).size(), 3U);
}

TEST_F(VersionsTest, StatisticsAreOfEachVersion) {
  service_.SetStatistics({});
  Start();
  const auto versions = [&](const std::string& path) {
    std::vector<std::string> found;
    const Json body = GetJson(path);
    for (const Json& one : body["model_stats"]) found.push_back(one["version"]);
    return found;
  };
  EXPECT_THAT(versions("/v2/models/many/stats"), ::testing::ElementsAre("1", "2"));
  EXPECT_THAT(versions("/v2/models/many/versions/canary/stats"), ::testing::ElementsAre("2"));
  EXPECT_THAT(versions("/v2/models/stats"), ::testing::ElementsAre("1", "1", "2"));
}

TEST_F(VersionsTest, TorchServesDescriptionOfOneAndOfAll) {
  Start();
  EXPECT_EQ(GetJson("/models/many")[0]["modelVersion"], "1");
  EXPECT_EQ(GetJson("/models/many/canary")[0]["modelVersion"], "2");
  const Json all = GetJson("/models/many/all");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2]["status"], "FAILED");
  const RawReply unknown = Ask(Get("/models/many/7"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("it serves 1 (stable), 2 (canary, next)"));
}

TEST_F(VersionsTest, AServiceTellsOfItsVersions) {
  Start();
  const Json versions = GetJson("/api/services/many")["versions"];
  ASSERT_EQ(versions.size(), 3U);
  EXPECT_EQ(versions[1], Json::parse(R"({"version":"2","state":"ready","reason":"",
                                         "labels":["canary","next"]})"));
  EXPECT_EQ(versions[2]["reason"], "no network");
}

}  // namespace
}  // namespace xcloud
