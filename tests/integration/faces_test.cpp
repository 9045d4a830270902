// Faces with real weights through the real binary: found where MTCNN's published implementation
// finds them, told apart by the embedding, and kept through a kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kSource = XCLOUD_SOURCE_DIR;
const fs::path kAstronaut = kSource / "var/photos/astronaut.png";
const fs::path kPeople = kSource / "../shared/data/faces";
constexpr const char* kNoHurry = "?deadline_ms=60000";

// Of left, top, right, bottom with x, y, width, height.
double Overlap(const std::array<double, 4>& a, const Json& box) {
  const double x = box[0];
  const double y = box[1];
  const double right = x + box[2].get<double>();
  const double bottom = y + box[3].get<double>();
  const double width = std::min(a[2], right) - std::max(a[0], x);
  const double height = std::min(a[3], bottom) - std::max(a[1], y);
  const double common = std::max(0.0, width) * std::max(0.0, height);
  return common / ((a[2] - a[0]) * (a[3] - a[1]) + (right - x) * (bottom - y) - common);
}

class FacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* model : {"mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet", "face_embedding"}) {
      const fs::path folder = kSource / "configs/models" / model;
      if (!fs::exists(folder / "1/model.pt")) {
        GTEST_SKIP() << "no weights of " << model << ": run 'make weights'";
      }
      fs::copy(folder, repository_.path() / model, fs::copy_options::recursive);
    }
    const std::string state = (kept_.path() / "people.index").string();
    repository_.Write("facesearch/model.toml",
                      "[model]\nbackend = 'pipeline'\n[pipeline]\n"
                      "kind = 'facesearch'\nstate = '" +
                          state + "'\n");
    repository_.Write("faces/model.toml",
                      "[model]\nbackend = 'pipeline'\n[pipeline]\nkind = 'faces'\n");
    Restart();
  }
  void Restart() {
    server_ = std::make_unique<ServerProcess>();
    ASSERT_TRUE(server_->Start(repository_.path().string())) << server_->error();
    client_ = std::make_unique<HttpClient>(server_->port());
  }
  Json Ask(const std::string& route, const fs::path& photo) {
    const HttpReply reply = client_->PostPhoto(route + kNoHurry, ReadBinaryFile(photo.string()));
    EXPECT_EQ(reply.status, 200) << photo << " " << reply.body;
    return reply.status == 200 ? Json::parse(reply.body) : Json();
  }
  // By the server's address: a gallery is closed to callers that name it otherwise.
  void Enrol(const std::string& id, const fs::path& photo) {
    const std::string body = MultipartBody("image", ReadBinaryFile(photo.string()));
    ASSERT_TRUE(client_->Send(
        "PUT /cv/facesearch/gallery/" + id + kNoHurry +
        " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\nContent-Type: multipart/form-data; boundary=" + std::string(kTestBoundary) +
        "\r\n\r\n" + body));
    const HttpReply reply = client_->Receive();
    ASSERT_EQ(reply.status, 200) << reply.body;
    ASSERT_EQ(Json::parse(reply.body)["code"], 0) << reply.body;
  }
  static fs::path Person(int person, int photo) {
    return kPeople / ("s" + std::to_string(person)) / (std::to_string(photo) + ".png");
  }

  const TempFolder repository_;
  const TempFolder kept_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<HttpClient> client_;
};

// The box and points are facenet-pytorch 2.6.0's, with its defaults, on the same photo.
TEST_F(FacesTest, FindsTheAstronautWhereTheReferenceDoes) {
  if (!fs::exists(kAstronaut)) GTEST_SKIP() << "no photos: run 'make photos'";
  const Json answer = Ask("/cv/faces", kAstronaut);
  ASSERT_EQ(answer["data"].size(), 1U) << answer;
  const Json& face = answer["data"][0];
  EXPECT_GE(Overlap({181.05, 62.16, 267.75, 172.05}, face["box"]), 0.8) << face;
  EXPECT_GT(face["confidence"].get<double>(), 0.99);
  EXPECT_NEAR(face["keypoints"]["left_eye"][0].get<double>(), 205.0, 5);
  EXPECT_NEAR(face["keypoints"]["left_eye"][1].get<double>(), 101.7, 5);
  EXPECT_NEAR(face["keypoints"]["nose"][0].get<double>(), 224.7, 5);
  EXPECT_NEAR(face["keypoints"]["mouth_right"][1].get<double>(), 141.9, 5);
  EXPECT_TRUE(answer["missing"].contains("age")) << "not in this repository";
}

TEST_F(FacesTest, TellsPeopleApartAndRemembersThemThroughAKill) {
  if (!fs::exists(Person(1, 1))) GTEST_SKIP() << "no photos of faces";
  constexpr int kFew = 6;
  for (int person = 1; person <= kFew; ++person) {
    Enrol("s" + std::to_string(person), Person(person, 1));
  }
  server_->Signal(SIGKILL);
  server_->WaitExit();
  Restart();
  for (int person = 1; person <= kFew; ++person) {
    const Json answer = Ask("/cv/facesearch", Person(person, 5));
    ASSERT_EQ(answer["results"].size(), static_cast<std::size_t>(kFew)) << answer;
    EXPECT_EQ(answer["results"][0][0], "s" + std::to_string(person)) << answer;
  }
}

}  // namespace
}  // namespace xcloud
