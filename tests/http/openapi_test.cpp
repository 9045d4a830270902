// /openapi.json: equal to the route table, about what is loaded, and true about how it is refused.
#include "http/openapi/document.h"

#include <set>

#include "http/openapi/component_writer.h"
#include "http/openapi/components.h"
#include "http/openapi/operation.h"
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::vector<Operation> AllOperations() {
  std::vector<Operation> all(OwnOperations().begin(), OwnOperations().end());
  all.insert(all.end(), ProtocolOperations().begin(), ProtocolOperations().end());
  return all;
}

template <typename Components>
std::set<std::string_view> NamesOf(const Components& components) {
  std::set<std::string_view> names;
  for (const auto& component : components) {
    EXPECT_TRUE(names.insert(component.name).second) << component.name << " stands twice";
  }
  return names;
}

std::set<std::string_view> SchemaNames() {
  std::set<std::string_view> names = NamesOf(OwnSchemas());
  names.merge(NamesOf(ProtocolSchemas()));
  return names;
}

void ExpectSchemasExist(std::string_view content, std::string_view of) {
  const std::set<std::string_view> schemas = SchemaNames();
  for (const std::string_view form : SplitWords(content)) {
    EXPECT_NE(form.find('/'), form.npos) << of << ": " << form;
    if (form.find('=') == form.npos) continue;
    for (const std::string_view schema : SplitWords(form.substr(form.find('=') + 1), '|')) {
      EXPECT_THAT(schemas, Contains(schema)) << of;
    }
  }
}

TEST(OperationsTest, EveryRouteHasARow) {
  for (const Route& route : Routes()) {
    EXPECT_NE(FindOperation(route.name), nullptr)
        << route.name << " is in routes.cpp: say in http/openapi what it is";
  }
}

TEST(OperationsTest, EveryRowHasARoute) {
  std::set<std::string_view> routes;
  for (const Route& route : Routes()) routes.insert(route.name);
  std::set<std::string_view> seen;
  for (const Operation& row : AllOperations()) {
    EXPECT_TRUE(seen.insert(row.route).second) << row.route << " stands twice";
    EXPECT_TRUE(routes.count(row.route) > 0)
        << row.route << " is in http/openapi and not in routes.cpp";
  }
}

// The rows of the route table that are not another's alias.
std::set<std::string_view> DocumentedRoutes() {
  std::set<std::string_view> names;
  for (const Route& route : Routes()) {
    if (route.name.ends_with(route.pattern)) names.insert(route.name);
  }
  return names;
}

TEST(OperationsTest, ARoutesNameIsItsMethodAndPatternOrAnothersName) {
  const auto documented = DocumentedRoutes();
  for (const Route& route : Routes()) {
    const std::string name(route.name);
    EXPECT_TRUE(documented.count(route.name) > 0) << name;
    if (route.name.ends_with(route.pattern)) {
      EXPECT_EQ(name.substr(name.find(' ') + 1), route.pattern);
    }
  }
}

TEST(OperationsTest, RowsNameWhatThereIs) {
  const auto parameters = NamesOf(Parameters());
  const auto bodies = NamesOf(RequestBodies());
  const auto responses = NamesOf(Responses());
  const auto tags = NamesOf(Tags());
  for (const Operation& row : AllOperations()) {
    EXPECT_FALSE(row.summary.empty()) << row.route;
    EXPECT_THAT(tags, Contains(row.tag)) << row.route;
    EXPECT_THAT(responses, Contains(row.answer)) << row.route;
    for (const auto name : SplitWords(row.parameters)) EXPECT_THAT(parameters, Contains(name));
    if (!row.body.empty()) {
      EXPECT_THAT(bodies, Contains(row.body)) << row.route;
    }
    if (!row.not_ready.empty()) {
      EXPECT_THAT(responses, Contains(row.not_ready)) << row.route;
    }
    for (const auto status : SplitWords(row.refusals)) {
      const int number = std::atoi(std::string(status).c_str());
      EXPECT_NE(RefusalDescription(number), RefusalDescription(0)) << row.route << " " << status;
      EXPECT_THAT(SplitWords(kEveryRefusal), Not(Contains(status))) << row.route;
    }
  }
}

TEST(ComponentsTest, AreJsonAndNameWhatThereIs) {
  const auto headers = NamesOf(Headers());
  for (const auto& list : {OwnSchemas(), ProtocolSchemas(), Parameters(), Headers()}) {
    for (const Component& component : list) {
      EXPECT_TRUE(Json::accept(component.json)) << component.name;
    }
  }
  for (const BodyComponent& body : RequestBodies()) ExpectSchemasExist(body.content, body.name);
  for (const ResponseComponent& response : Responses()) {
    ExpectSchemasExist(response.content, response.name);
    for (const auto name : SplitWords(response.headers)) EXPECT_THAT(headers, Contains(name));
  }
}

TEST(SplitWordsTest, DropsWhatIsEmpty) {
  EXPECT_TRUE(SplitWords("").empty());
  EXPECT_EQ(SplitWords(" a  bc ").size(), 2U);
  EXPECT_EQ(SplitWords("a|b", '|').back(), "b");
}

class OpenApiTest : public ServerFixture {
 protected:
  Json Document() {
    const RawReply reply = Ask(Get("/openapi.json"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.Header("content-type"), "application/json; charset=utf-8");
    return Json::parse(reply.body);
  }
  static Json ItemOf(const Json& document, const std::string& path) {
    const Json& schema = document["paths"][path]["post"]["responses"]["200"]["content"]
                                 ["application/json"]["schema"];
    return schema["allOf"][1]["properties"]["data"]["items"];
  }
};

// Every "$ref" in `value` leads somewhere in `document`.
void ExpectReferencesResolve(const Json& document, const Json& value) {
  if (value.is_object() && value.contains("$ref")) {
    const std::string target = value["$ref"].get<std::string>().substr(1);
    EXPECT_TRUE(document.contains(Json::json_pointer(target))) << target;
  }
  if (!value.is_structured()) return;
  for (const Json& child : value) ExpectReferencesResolve(document, child);
}

TEST_F(OpenApiTest, HasEveryRouteOnceAndOnePathAService) {
  ServiceInfo rating;
  rating.name = "rating";
  rating.route = "/dm/rating";
  service_.AddService(rating);
  Start();
  const Json document = Document();
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_FALSE(document["info"]["version"].get<std::string>().empty());
  EXPECT_FALSE(document["paths"].contains("/cv/{service}"));
  std::size_t operations = 0;
  std::set<std::string> ids;
  for (const Json& path : document["paths"]) {
    for (const Json& operation : path) {
      ++operations;
      EXPECT_TRUE(ids.insert(operation["operationId"]).second) << operation["operationId"];
    }
  }
  EXPECT_EQ(operations, DocumentedRoutes().size())
      << "one service of each group: as many as there are routes";
  EXPECT_THAT(ids, IsSupersetOf({"post_cv_demo", "post_dm_rating"}));
  ExpectReferencesResolve(document, document);
}

TEST_F(OpenApiTest, InferTellsOfTheHeadersThatItReads) {
  Start();
  const std::string infer = Document()["paths"]["/v2/models/{model}/infer"]["post"].dump();
  EXPECT_THAT(infer, HasSubstr("X-Deadline-Ms"));
  EXPECT_THAT(infer, HasSubstr("X-Priority"));
}

TEST_F(OpenApiTest, AServiceHasItsOwnWordsItemsAndState) {
  ServiceInfo info;
  info.name = "plant";
  info.route = "/cv/plant";
  info.title = "植物 \"quoted\"";
  info.description = "Names plants.";
  info.state = ServiceState::kNoWeights;
  info.reason = "no weights";
  info.answer.label_key = "name";
  info.answer.index_key = "id";
  info.answer.probability_key = "score";
  info.answer.index_base = 1;
  info.label_count = 998;
  service_.AddService(info);
  Start();
  const Json document = Document();
  const Json plant = document["paths"]["/cv/plant"];
  EXPECT_EQ(plant.size(), 3U) << "GET, POST and PUT";
  EXPECT_THAT(plant["post"]["summary"].get<std::string>(), HasSubstr("植物 \"quoted\""));
  EXPECT_THAT(plant["post"]["description"].get<std::string>(), HasSubstr("Names plants."));
  EXPECT_EQ(plant["post"]["x-state"], "no_weights");
  EXPECT_EQ(plant["post"]["x-reason"], "no weights");
  EXPECT_FALSE(document["paths"]["/cv/demo"]["post"].contains("x-state"));
  const Json item = ItemOf(document, "/cv/plant");
  EXPECT_EQ(item["required"], Json({"name", "id", "score"}));
  EXPECT_EQ(item["additionalProperties"], false);
  EXPECT_THAT(item["properties"]["id"]["description"].get<std::string>(),
              HasSubstr("Row of the label, from 1;"));
  EXPECT_EQ(ItemOf(document, "/cv/demo")["required"], Json({"category", "prob"}));
}

TEST_F(OpenApiTest, OperationIdsTellEveryNameApart) {
  for (const char* name : {"a-b", "a_b", "a__b"}) {
    ServiceInfo info;
    info.name = name;
    info.route = std::string("/cv/") + name;
    service_.AddService(info);
  }
  Start();
  std::set<std::string> ids;
  std::size_t operations = 0;
  for (const Json& path : Document()["paths"]) {
    for (const Json& operation : path) {
      ids.insert(operation["operationId"].get<std::string>());
      ++operations;
    }
  }
  EXPECT_EQ(ids.size(), operations);
}

TEST_F(OpenApiTest, SegmentsListTheNamesThatThereAre) {
  service_.SetDevices({{.name = "cpu0"}, {.name = "cpu1"}});
  Start();
  const Json document = Document();
  const auto names = [&](const std::string& path) {
    return document["paths"][path]["get"]["parameters"][0]["schema"]["enum"];
  };
  EXPECT_EQ(names("/api/services/{name}"), Json({"demo"}));
  EXPECT_EQ(names("/api/devices/{name}"), Json({"cpu0", "cpu1"}));
  EXPECT_THAT(names("/assets/{name}"), Contains("app.css"));
}

TEST_F(OpenApiTest, WithoutServicesItHasNoEmptyLists) {
  const Json document =
      Json::parse(WriteOpenApi({.routes = Routes(), .services = {}, .devices = {}, .assets = {}}));
  const Json schema = document["paths"]["/api/services/{name}"]["get"]["parameters"][0]["schema"];
  EXPECT_FALSE(schema.contains("enum"));
  EXPECT_EQ(schema["minLength"], 1);
  EXPECT_FALSE(document["paths"].contains("/cv/demo"));
}

// The statuses of a path as the document has them, provoked one by one.
TEST_F(OpenApiTest, WhatRefusesEveryRequestIsDocumented) {
  config_.header_limit_bytes = 1024;
  Start();
  const std::vector<std::pair<std::string, int>> requests = {
      {"GET /livez HTTP/1.1\r\n\r\n", 400},
      {Get("/livez", "Accept-Encoding: identity;q=0, *;q=0\r\n"), 406},
      {"GET /livez HTTP/1.1\r\nHost: t\r\nExpect: tea\r\n\r\n", 417},
      {Get("/livez", "X: " + std::string(2000, 'x') + "\r\n"), 431},
      {"POST /livez HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"GET /livez HTTP/2.0\r\nHost: t\r\n\r\n", 505},
  };
  const Json responses = Document()["paths"]["/livez"]["get"]["responses"];
  for (const auto& [request, status] : requests) {
    EXPECT_EQ(Ask(request).status, status);
    EXPECT_TRUE(responses.contains(std::to_string(status))) << status;
  }
  for (const char* status : {"408", "429", "500", "503"}) EXPECT_TRUE(responses.contains(status));
}

TEST_F(OpenApiTest, WhatRefusesAPhotoIsDocumented) {
  config_.body_limit_bytes = 1024;
  Start();
  const Json responses = Document()["paths"]["/cv/demo"]["post"]["responses"];
  const auto expect = [&](const RawReply& reply, int status) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_TRUE(responses.contains(std::to_string(status))) << status;
  };
  expect(Ask(PostImage("/cv/demo?k=0")), 400);
  expect(Ask(Post("/cv/demo", "Content-Type: image/jpeg\r\n", std::string(2000, 'x'))), 413);
  expect(Ask(Post("/cv/demo", "Content-Type: text/plain\r\n", "x")), 415);
  for (const auto& [refusal, status] : std::vector<std::pair<Status, int>>{
           {Status::NotFound("no such version"), 404},
           {Status::Overloaded("full", std::chrono::milliseconds(5)), 429},
           {Status::Internal("broken"), 500},
           {Status::Unsupported("not here"), 501},
           {Status::Unavailable("loading"), 503},
           {Status::DeadlineExceeded("too late"), 504}}) {
    service_.SetAdmit(refusal);
    expect(Ask(PostImage()), status);
  }
}

TEST_F(OpenApiTest, ATraceparentIsAnsweredWithItsTraceId) {
  Start();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string header = "traceparent: 00-" + trace + "-b7ad6b7169203331-01\r\n";
  for (const std::string& request :
       {PostImage("/cv/demo", header), Get("/livez", header), Get("/nothing", header)}) {
    const std::string answered = Ask(request).Header("traceresponse");
    EXPECT_THAT(answered, ::testing::MatchesRegex("00-" + trace + "-[0-9a-f]+-01"));
    EXPECT_EQ(answered.size(), 55U);
    EXPECT_THAT(answered, Not(HasSubstr("b7ad6b7169203331"))) << "an id of ours, not the caller's";
  }
  EXPECT_EQ(Ask(Get("/livez")).Header("traceresponse"), "") << "no trace is begun here";
  EXPECT_EQ(Ask(Get("/livez", "traceparent: 00-0-0-0\r\n")).Header("traceresponse"), "");
}

TEST_F(OpenApiTest, TheDocsPageIsServedAndLinked) {
  Start();
  const RawReply page = Ask(Get("/docs"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.Header("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.Header("content-security-policy"), HasSubstr("default-src 'self'"));
  EXPECT_THAT(page.body, HasSubstr("/assets/docs.js"));
  EXPECT_THAT(Ask(Get("/")).body, HasSubstr("href=\"/docs\""));
}

}  // namespace
}  // namespace xcloud
