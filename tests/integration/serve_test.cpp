// The whole path in the real binary, on the null backend: photo in, marked answer out, row in the
// call log, clean end.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

std::string MadePhoto(int seed = 1) {
  cv::Mat pixels(240, 320, CV_8UC3);
  cv::RNG random(static_cast<std::uint64_t>(seed));
  random.fill(pixels, cv::RNG::UNIFORM, 0, 256);
  std::vector<unsigned char> jpeg;
  cv::imencode(".jpg", pixels, jpeg);
  return {jpeg.begin(), jpeg.end()};
}

int CountRows(const ServerProcess& server, const std::string& where = "1") {
  SQLite::Database database(server.database().string(), SQLite::OPEN_READONLY);
  return database.execAndGet("SELECT COUNT(*) FROM api_calls WHERE " + where).getInt();
}

class ServeTest : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& overrides = {},
             const std::string& repository = "bench/models") {
    ASSERT_TRUE(server_.Start(repository, overrides)) << server_.error();
  }
  ServerProcess server_;
};

TEST_F(ServeTest, AnswersAPhotoAndLogsTheCall) {
  Start();
  HttpClient client(server_.port());
  EXPECT_EQ(client.Get("/livez").status, 200);
  EXPECT_EQ(client.Get("/readyz").status, 200);
  const HttpReply reply = client.PostPhoto("/cv/null?k=2", MadePhoto());
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answer = Json::parse(reply.body);
  EXPECT_EQ(answer["code"], 0);
  EXPECT_EQ(answer["msg"], "success");
  EXPECT_EQ(answer["data"].size(), 2U);
  EXPECT_EQ(answer["synthetic"], true) << "the null backend must say that it made the answer up";
  EXPECT_GT(answer["elapse"].get<double>(), 0.0);
  EXPECT_THAT(reply.headers.at("content-type"), HasSubstr("application/json"));
  EXPECT_EQ(client.Post("/cv/null", "image/jpeg", MadePhoto()).status, 200) << "raw body";
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.WaitExit(), 0);
  EXPECT_EQ(CountRows(server_), 2);
  EXPECT_EQ(CountRows(server_, "api_name='cv/null' AND http_status=200 AND elapse_ms>0"), 2);
}

TEST_F(ServeTest, ListsServicesAndServesTheirPages) {
  Start();
  HttpClient client(server_.port());
  const Json services = Json::parse(client.Get("/api/services").body);
  ASSERT_FALSE(services.empty());
  for (const Json& service : services) {
    EXPECT_EQ(service["state"], "ready") << service;
    const HttpReply page = client.Get(service["route"].get<std::string>());
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.headers.at("content-type"), HasSubstr("text/html"));
  }
  EXPECT_EQ(client.Get("/").status, 200);
  EXPECT_EQ(client.Get("/assets/app.css").status, 200);
  EXPECT_THAT(client.Get("/metrics").body, HasSubstr("# TYPE xcloud_batch_size histogram"));
}

TEST_F(ServeTest, RefusalsAreJsonAndNameTheCause) {
  Start();
  HttpClient client(server_.port());
  const HttpReply missing = client.PostPhoto("/cv/nothing", MadePhoto());
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(Json::parse(missing.body)["msg"].get<std::string>(), HasSubstr("nothing"));
  const HttpReply text = client.PostPhoto("/cv/null", "this is not a photo");
  EXPECT_EQ(text.status, 415) << text.body;
  const HttpReply method = client.Post("/livez", "text/plain", "x");
  EXPECT_EQ(method.status, 405);
}

TEST_F(ServeTest, TwoLogicalDevicesShareTheQueues) {
  Start({"device.0.kind=cpu", "device.1.kind=cpu", "device.0.name=left", "device.1.name=right"});
  std::atomic<int> left{0};
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      HttpClient client(server_.port());
      const std::string photo = MadePhoto(c);
      for (int i = 0; i < 20; ++i) {
        const HttpReply reply = client.PostPhoto("/cv/null5?explain=1&deadline_ms=60000", photo);
        ASSERT_EQ(reply.status, 200) << reply.body;
        const std::string lane = Json::parse(reply.body)["explain"]["lane"];
        (lane.compare(0, 4, "left") == 0 ? left : right).fetch_add(1);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(left + right, 160);
  EXPECT_GT(left, 0);
  EXPECT_GT(right, 0);
}

TEST_F(ServeTest, EveryAcceptedRequestIsAnsweredWhenStopped) {
  Start();
  constexpr int kClients = 16;
  std::atomic<int> answered{0};
  std::atomic<int> broken{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      HttpClient client(server_.port());
      const std::string photo = MadePhoto(c);
      for (int i = 0; i < 500; ++i) {
        const HttpReply reply = client.PostPhoto("/cv/null5?deadline_ms=60000", photo);
        if (reply.status == 200) {
          if (answered.fetch_add(1) + 1 == 200) server_.Signal(SIGTERM);
        } else {
          // Not accepted any more: the connection was closed between requests, or 503.
          if (reply.status != 0 && reply.status != 503) broken.fetch_add(1);
          break;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server_.WaitExit(), 0);
  EXPECT_EQ(broken, 0);
  EXPECT_GE(answered, 200);
  EXPECT_EQ(CountRows(server_, "http_status=200"), answered.load());
  EXPECT_EQ(CountRows(server_, "http_status<>200 AND http_status<>503"), 0) << "cut unanswered";
}

TEST_F(ServeTest, ADroppedFolderIsAServiceAfterARestart) {
  const std::filesystem::path repository = server_.folder() / "models";
  std::filesystem::create_directories(repository / "first");
  const auto write = [&](const std::string& name) {
    std::filesystem::create_directories(repository / name);
    std::ofstream(repository / name / "model.toml")
        << "title = 'Dropped'\n[model]\nbackend = 'null'\n";
    std::ofstream(repository / name / "labels.txt") << "one\ntwo\n";
  };
  write("first");
  Start({}, repository.string());
  EXPECT_EQ(HttpClient(server_.port()).PostPhoto("/cv/second", MadePhoto()).status, 404);
  server_.Signal(SIGTERM);
  ASSERT_EQ(server_.WaitExit(), 0);
  write("second");
  Start({}, repository.string());
  HttpClient client(server_.port());
  EXPECT_EQ(client.PostPhoto("/cv/second", MadePhoto()).status, 200);
  EXPECT_EQ(client.PostPhoto("/cv/first", MadePhoto()).status, 200);
}

TEST_F(ServeTest, ServesWhileOneFolderIsBroken) {
  const std::filesystem::path repository = server_.folder() / "models";
  std::filesystem::create_directories(repository / "good");
  std::filesystem::create_directories(repository / "bad");
  std::ofstream(repository / "good" / "model.toml") << "[model]\nbackend = 'null'\n";
  std::ofstream(repository / "good" / "labels.txt") << "one\n";
  std::ofstream(repository / "bad" / "model.toml") << "[model]\nbackened = 'null'\n";
  std::ofstream(repository / "bad" / "labels.txt") << "one\n";
  Start({}, repository.string());
  HttpClient client(server_.port());
  EXPECT_EQ(client.PostPhoto("/cv/good", MadePhoto()).status, 200);
  const HttpReply bad = client.PostPhoto("/cv/bad", MadePhoto());
  EXPECT_EQ(bad.status, 503);
  EXPECT_THAT(bad.body, HasSubstr("backened"));
}

}  // namespace
}  // namespace xcloud
