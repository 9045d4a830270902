// /cv/{service}/gallery and /dm/{service}: what reaches the service, who is let in, and answers
// that are values.
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class GalleryTest : public ServerFixture {
 protected:
  GalleryTest() {
    ServiceInfo faces;
    faces.name = "faces";
    faces.route = "/cv/faces";
    faces.has_gallery = true;
    faces.answer.data_key = "results";
    faces.answer.message = "Success";
    service_.AddService(faces);
    ServiceInfo rating;
    rating.name = "rating";
    rating.route = "/dm/rating";
    rating.takes_rows = true;
    service_.AddService(rating);
    ServiceInfo tensors;
    tensors.name = "tensors";
    tensors.route = "/dm/tensors";
    service_.AddService(tensors);
    service_.answer.predictions.clear();
    service_.answer.value = AnswerValue::List(
        {AnswerValue::List({AnswerValue::Text("ann"), AnswerValue::Of(0.93456, 4)})});
  }

  // As whoever may use /admin: from this machine, under its address.
  static std::string Send(const std::string& verb, const std::string& target,
                          const std::string& headers = "", const std::string& body = "") {
    return verb + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string Enrol(const std::string& target, const std::string& headers = "") {
    return Send("PUT", target, headers + "Content-Type: image/jpeg\r\n", "photo");
  }
  InferenceRequest Last() { return service_.requests().back(); }
};

TEST_F(GalleryTest, AValueIsWrittenUnderTheServicesOwnKey) {
  Start();
  const RawReply reply = Ask(PostImage("/cv/faces"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body,
              HasSubstr(R"({"code":0,"msg":"Success","results":[["ann",0.9346]],"elapse":)"));
  EXPECT_EQ(Last().action, ServiceAction::kAnswer);
}

TEST_F(GalleryTest, AServicesOwnCodeAndWordsAreAnAnswer) {
  service_.answer.value = AnswerValue::List({});
  service_.answer.code = 3;
  service_.answer.message = "None face is detected";
  Start();
  const RawReply reply = Ask(PostImage("/cv/faces"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr(R"({"code":3,"msg":"None face is detected","results":[],)"));
}

TEST_F(GalleryTest, EnrolsListsAndRemoves) {
  Start();
  EXPECT_EQ(Ask(Enrol("/cv/faces/gallery/ann%20lee")).status, 200);
  EXPECT_EQ(Last().action, ServiceAction::kEnrol);
  EXPECT_EQ(Last().subject, "ann lee");
  EXPECT_EQ(Last().image.view(), "photo");
  EXPECT_EQ(Ask(Send("DELETE", "/cv/faces/gallery/ann")).status, 200);
  EXPECT_EQ(Last().action, ServiceAction::kRemove);
  EXPECT_EQ(Last().subject, "ann");
  EXPECT_EQ(Ask(Send("GET", "/cv/faces/gallery")).status, 200);
  EXPECT_EQ(Last().action, ServiceAction::kEntries);
}

TEST_F(GalleryTest, IsForWhoMayUseAdminOnly) {
  Start();
  const std::string forwarded = "X-Forwarded-For: 203.0.113.7\r\n";
  EXPECT_EQ(Ask(Enrol("/cv/faces/gallery/ann", forwarded)).status, 403);
  EXPECT_EQ(Ask(Send("DELETE", "/cv/faces/gallery/ann", forwarded)).status, 403);
  EXPECT_EQ(Ask(Send("GET", "/cv/faces/gallery", forwarded)).status, 403);
  EXPECT_EQ(Ask(PostImage("/cv/faces", forwarded)).status, 200) << "searching is for everyone";
  EXPECT_EQ(service_.requests().size(), 1U);
}

TEST_F(GalleryTest, IsClosedWhereAdminIsOff) {
  config_.admin = "off";
  Start();
  ExpectError(Ask(Send("GET", "/cv/faces/gallery")), 403, 403, "admin is off");
}

TEST_F(GalleryTest, AServiceWithoutOneSaysSo) {
  Start();
  ExpectError(Ask(Enrol("/cv/demo/gallery/ann")), 404, 404, "keeps no gallery");
  ExpectError(Ask(Get("/cv/nobody/gallery")), 404, 404, "no service named 'nobody'");
}

TEST_F(GalleryTest, ARowIsNamedByQueryFormOrJson) {
  Start();
  EXPECT_EQ(Ask(Get("/dm/rating?id=a%2Fb")).status, 200);
  EXPECT_EQ(Last().subject, "a/b");
  EXPECT_EQ(Ask(Post("/dm/rating?id=1", "", "")).status, 200);
  EXPECT_EQ(Last().subject, "1");
  EXPECT_EQ(
      Ask(Post("/dm/rating", "Content-Type: application/json\r\n", R"({"id": 819452})")).status,
      200);
  EXPECT_EQ(Last().subject, "819452");
  EXPECT_EQ(
      Ask(Post("/dm/rating", "Content-Type: application/x-www-form-urlencoded\r\n", "x=1&id=7"))
          .status,
      200);
  EXPECT_EQ(Last().subject, "7");
}

TEST_F(GalleryTest, ARowWithoutANameIsRefusedInWords) {
  Start();
  const std::string json = "Content-Type: application/json\r\n";
  ExpectError(Ask(Post("/dm/rating", json, "{}")), 400, 400, "name the row by its id");
  ExpectError(Ask(Post("/dm/rating", json, R"({"id": 1.5})")), 400, 400, "whole number");
  ExpectError(Ask(Post("/dm/rating", json, "{")), 400, 400);
  ExpectError(Ask(Post("/dm/rating", "", "")), 400, 400, "name the row by its id");
  ExpectError(Ask(Post("/dm/rating?id=" + std::string(300, 'x'), "", "")), 400, 400, "256");
  EXPECT_EQ(service_.requests().size(), 0U);
}

TEST_F(GalleryTest, AServiceIsFoundInItsOwnGroupOnly) {
  Start();
  ExpectError(Ask(PostImage("/cv/rating")), 404, 404, "it is at /dm/rating");
  ExpectError(Ask(Post("/dm/faces?id=1", "", "")), 404, 404, "it is at /cv/faces");
  ExpectError(Ask(Post("/dm/tensors?id=1", "", "")), 400, 400, "/v2/models/tensors/infer");
  EXPECT_THAT(Ask(Get("/dm/rating")).body, HasSubstr("<html"));
}

}  // namespace
}  // namespace xcloud
