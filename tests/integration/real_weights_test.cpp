// Real weights on real photos through the real binary: the labels are true, and they are those
// that PyTorch itself gives with torchvision's preprocessing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"

namespace xcloud {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kSource = XCLOUD_SOURCE_DIR;
const fs::path kPhotos = kSource / "var/photos";
const fs::path kImagenet = kSource / "../shared/data/imagenet";

// A busy machine may be slow; these tests ask what is answered, not how fast.
constexpr const char* kNoHurry = "?deadline_ms=60000";

std::string TopLabel(HttpClient& client, const std::string& route, const fs::path& photo,
                     const std::string& key) {
  const HttpReply reply = client.PostPhoto(route + kNoHurry, ReadBinaryFile(photo.string()));
  EXPECT_EQ(reply.status, 200) << photo << " " << reply.body;
  if (reply.status != 200) return "";
  const Json answer = Json::parse(reply.body);
  return answer["data"][0][key];
}

class RealWeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* model : {"imagenet", "nsfw"}) {
      if (!fs::exists(kSource / "configs/models" / model / "1/model.pt")) {
        GTEST_SKIP() << "no weights of " << model << ": run 'make weights'";
      }
    }
    if (!fs::exists(kPhotos / "chelsea.png")) GTEST_SKIP() << "no photos: run 'make photos'";
    ASSERT_TRUE(server_.Start("configs/models")) << server_.error();
  }
  ServerProcess server_;
};

TEST_F(RealWeightsTest, NamesWhatIsInThePhoto) {
  HttpClient client(server_.port());
  const auto labels = [&](const char* photo) {
    const HttpReply reply = client.PostPhoto(std::string("/cv/imagenet") + kNoHurry,
                                             ReadBinaryFile((kPhotos / photo).string()));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json answer = Json::parse(reply.body);
    EXPECT_EQ(answer["data"].size(), 5U);
    double sum = 0;
    double previous = 1;
    for (const Json& item : answer["data"]) {
      const double probability = item["prob"];
      EXPECT_LE(probability, previous);
      previous = probability;
      sum += probability;
    }
    EXPECT_LE(sum, 1.0005);
    EXPECT_FALSE(answer.contains("synthetic"));
    return answer["data"][0]["category"].get<std::string>();
  };
  EXPECT_THAT(labels("chelsea.png"), ::testing::AnyOf("Egyptian cat", "tabby", "tiger cat"));
  EXPECT_EQ(labels("coffee.png"), "espresso");
  EXPECT_EQ(labels("rocket.jpg"), "missile");
}

TEST_F(RealWeightsTest, NsfwCallsOrdinaryPhotosSafe) {
  HttpClient client(server_.port());
  for (const char* photo : {"chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png"}) {
    EXPECT_EQ(TopLabel(client, "/cv/nsfw", kPhotos / photo, "type"), "sfw") << photo;
  }
}

std::map<std::string, std::string> ReadTable(const std::string& text) {
  std::map<std::string, std::string> table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) table[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return table;
}

std::string Output(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  char chunk[4096];
  for (std::size_t got; (got = fread(chunk, 1, sizeof(chunk), pipe)) > 0;) out.append(chunk, got);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return out;
}

// The reference runs the same model.pt in Python on torchvision's own preprocessing.
TEST_F(RealWeightsTest, GivesTheLabelsOfPyTorchWithTorchvisionOnEveryPhoto) {
  const fs::path folder = fs::exists(kImagenet) ? kImagenet : kPhotos;
  const auto reference = ReadTable(
      Output(std::string(XCLOUD_VENV) + "/bin/python " +
             (kSource / "tests/support/imagenet_reference.py").string() + " " + folder.string()));
  ASSERT_GE(reference.size(), 4U);
  HttpClient client(server_.port());
  for (const auto& [photo, label] : reference) {
    EXPECT_EQ(TopLabel(client, "/cv/imagenet", folder / photo, "category"), label) << photo;
  }
}

TEST_F(RealWeightsTest, IsAsAccurateAsPublished) {
  std::ifstream table(kImagenet / "labels.csv");
  if (!table) GTEST_SKIP() << "no ../shared/data/imagenet";
  std::vector<std::string> labels;
  std::ifstream names(kSource / "configs/models/imagenet/labels.txt");
  for (std::string line; std::getline(names, line);) labels.push_back(line);
  HttpClient client(server_.port());
  std::string line;
  std::getline(table, line);  // heading
  int photos = 0;
  int right = 0;
  while (std::getline(table, line)) {
    const std::size_t comma = line.rfind(',');
    const std::size_t index = std::stoul(line.substr(comma + 1));
    ++photos;
    right += TopLabel(client, "/cv/imagenet", kImagenet / line.substr(0, comma), "category") ==
             labels[index];
  }
  std::printf("top-1: %d of %d photos, %.1f %%\n", right, photos, 100.0 * right / photos);
  // Published for these weights on such photos: 88 %; four points are two standard errors of 150.
  EXPECT_GE(right, photos * 84 / 100);
}

}  // namespace
}  // namespace xcloud
