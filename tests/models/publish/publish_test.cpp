#include "models/publish/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "models/publish/answers.h"
#include "models/repository.h"
#include "models/zoo/layers.h"
#include "models/zoo/safetensors.h"
#include "models/zoo/state_dict.h"
#include "tests/models/image_bytes.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool RunPython(const std::string& lines, const std::vector<fs::path>& arguments) {
  std::string command = "'" XCLOUD_VENV "/bin/python' -W ignore -c '" + lines + "'";
  for (const fs::path& argument : arguments) command += " '" + argument.string() + "'";
  return std::system(command.c_str()) == 0;
}

// An empty repository, two photos, and a zoo network of two outputs for photos of 32 x 32.
class PublishTest : public ::testing::Test {
 protected:
  PublishTest() {
    fs::create_directories(Repository());
    folder_.Write("photos/a.png", Encode(".png", Gradient(60, 41)));
    folder_.Write("photos/b.jpg", Encode(".jpg", Gradient(50, 80)));
    folder_.Write("photos/readme.txt", "no photo");
    folder_.Write("labels.txt", "poor\ngood\n");
    WriteWeights("weights.safetensors", 5);
  }

  fs::path Repository() const { return folder_.path() / "models"; }

  void WriteWeights(const std::string& name, std::uint64_t seed) {
    const zoo::LayerPtr network = *zoo::MakeZooNetwork("iqanet", 2);
    zoo::Initialize(*network, seed);
    ASSERT_TRUE(zoo::WriteSafetensors(folder_.path() / name, zoo::StateDictOf(*network)).ok());
  }

  PublishRequest Request() const {
    PublishRequest request;
    request.name = "quality";
    request.network = "iqanet";
    request.file = folder_.path() / "weights.safetensors";
    request.labels = folder_.path() / "labels.txt";
    request.preprocess = {{"resize", "36"}, {"crop", "32"}};
    request.title = "Quality \"q\"";
    request.photos = {folder_.path() / "photos"};
    request.repository = Repository();
    request.python = XCLOUD_VENV "/bin/python";
    request.checker = XCLOUD_SOURCE_DIR "/models/publish/check_answers.py";
    return request;
  }

  // Names in the repository and in its service, so that nothing half made is left unseen.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& item : fs::recursive_directory_iterator(Repository())) {
      names.push_back(fs::relative(item.path(), Repository()).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempFolder folder_;
};

TEST_F(PublishTest, AStateDictBecomesAServiceAndThenASecondVersion) {
  const auto first = Publish(Request(), nullptr);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->folder, Repository() / "quality/1");
  EXPECT_EQ(first->photos, 2U);
  EXPECT_LT(first->max_difference, 1e-4);
  EXPECT_THAT(Files(), ElementsAre("quality", "quality/1", "quality/1/SHA256SUMS",
                                   "quality/1/model.safetensors", "quality/labels.txt",
                                   "quality/model.toml"));
  const RepositoryEntry entry = ReadRepositoryEntry(Repository() / "quality");
  EXPECT_EQ(entry.state, ServiceState::kLoading) << entry.reason;
  EXPECT_EQ(entry.definition.title, "Quality \"q\"");
  EXPECT_EQ(entry.definition.preprocess.crop_width, 32);
  const std::string check =
      "cd '" + first->folder.string() + "' && sha256sum --quiet -c SHA256SUMS";
  EXPECT_EQ(std::system(check.c_str()), 0);

  // Better weights: what describes the service stays as it is.
  WriteWeights("better.safetensors", 6);
  const std::string toml = ReadText(Repository() / "quality/model.toml");
  PublishRequest better = Request();
  better.file = folder_.path() / "better.safetensors";
  EXPECT_THAT(Publish(better, nullptr).status().message(), HasSubstr("model.toml says"));
  better.preprocess.clear();
  better.title.clear();
  better.version = 1;
  EXPECT_EQ(Publish(better, nullptr).status().code(), StatusCode::kAlreadyExists);
  better.version = 0;
  const auto second = Publish(better, nullptr);
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ(second->folder, Repository() / "quality/2");
  EXPECT_EQ(ReadText(Repository() / "quality/model.toml"), toml);
  EXPECT_EQ(ReadText(Repository() / "quality/1/model.safetensors"),
            ReadText(folder_.path() / "weights.safetensors"));
  EXPECT_EQ(Files().size(), 9U);
}

TEST_F(PublishTest, ComparesWithTorchvisionsNetworkWhereThereIsOne) {
  ASSERT_TRUE(RunPython(R"(
import sys, torch, torchvision
torch.manual_seed(1)
network = torch.nn.DataParallel(torchvision.models.shufflenet_v2_x1_0(num_classes=2))
torch.save({"epoch": 3, "state_dict": network.state_dict()}, sys.argv[1])
)",
                        {folder_.path() / "best.pth"}));
  PublishRequest request = Request();
  request.network = "shufflenet_v2_x1_0";
  request.file = folder_.path() / "best.pth";
  request.preprocess = {{"resize", "64"}, {"crop", "64"}};
  const auto report = Publish(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->reference, "torchvision's shufflenet_v2_x1_0");
}

TEST_F(PublishTest, ALiveModuleIsPublishedFromPython) {
  const std::string lines = "import sys; sys.path.insert(0, \"" XCLOUD_SOURCE_DIR
                            "/models/publish\")\n"
                            R"(
import torch
from publish_module import publish
torch.manual_seed(1)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, 2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                              torch.nn.Dropout(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                              torch.nn.Linear(4, 2)).train()
publish(network, "live", ["poor", "good"], [sys.argv[1]], sys.argv[2], preprocess="half",
        size=(3, 48, 40), xcloud=sys.argv[3], options=["--resize-mode", "squash",
        "--resize-width", "40", "--resize-height", "48", "--crop-width", "40", "--crop-height",
        "48"])
assert network.training
)";
  ASSERT_TRUE(
      RunPython(lines, {folder_.path() / "photos", Repository(), XCLOUD_BINARY_DIR "/xcloud"}));
  const RepositoryEntry entry = ReadRepositoryEntry(Repository() / "live");
  EXPECT_EQ(entry.state, ServiceState::kLoading) << entry.reason;
  EXPECT_EQ(entry.definition.preprocess.crop_height, 48);
  EXPECT_EQ(entry.definition.preprocess.mean[0], 0.5F);
}

// A checker that answers something else than the network does.
TEST_F(PublishTest, OtherAnswersThanPyTorchsAreNotPublished) {
  PublishRequest request = Request();
  folder_.Write("checker.py", R"(
import json, sys
job = json.load(open(sys.argv[1]))
answer = {"rows": [[0.9, 0.1] for _ in job["photos"]], "reference": "a liar", "sha256": "0"}
json.dump(answer, open(job["answer"], "w"))
)");
  request.checker = folder_.path() / "checker.py";
  const auto report = Publish(request, nullptr);
  EXPECT_THAT(report.status().message(),
              AllOf(HasSubstr("not PyTorch's (a liar); nothing was published"),
                    HasSubstr("a.png: we say"), HasSubstr("b.jpg: we say")));
  EXPECT_THAT(Files(), ElementsAre());
  folder_.Write("checker.py", "raise SystemExit(3)");
  EXPECT_THAT(Publish(request, nullptr).status().message(), HasSubstr("could not answer"));
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(PublishTest, WeightsOfAnotherNetworkAreNotPublished) {
  PublishRequest request = Request();
  request.network = "deeppatchcnn";
  EXPECT_THAT(Publish(request, nullptr).status().message(),
              AllOf(HasSubstr("read as deeppatchcnn"), HasSubstr("missing: bn1")));
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(PublishTest, SaysEverythingThatIsWrongAtOnce) {
  PublishRequest request = Request();
  request.name = "Quality!";
  request.network = "resnet19";
  request.file = folder_.path() / "weights.h5";
  request.labels = folder_.path() / "none.txt";
  request.photos = {folder_.path() / "photos/c.png"};
  request.preprocess = {{"crop", "999"}, {"color", "\"grey\""}};
  request.version = -2;
  const Status status = Publish(request, nullptr).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("'Quality!'"), HasSubstr("no network 'resnet19'"),
                    HasSubstr("weights.h5: no such file"), HasSubstr("none.txt: no such file"),
                    HasSubstr("c.png: no such file"), HasSubstr("preprocess.crop"),
                    HasSubstr("preprocess.color"), HasSubstr("--version")));
  request = Request();
  request.photos = {};
  request.preset = "imagenette";
  EXPECT_THAT(Publish(request, nullptr).status().message(),
              AllOf(HasSubstr("--photos: there is none"), HasSubstr("no preset 'imagenette'")));
}

TEST(CompareAnswersTest, TellsOtherLabelsAndOtherProbabilities) {
  const std::vector<std::string> labels = {"a", "b"};
  const std::vector<fs::path> photos = {"x/1.png", "x/2.png", "x/3.png", "x/4.png"};
  const Probabilities2d server = {{0.6F, 0.4F}, {0.3F, 0.7F}, {0.5005F, 0.4995F}, {NAN, 0.5F}};
  const Probabilities2d python = {{0.6F, 0.4F}, {0.35F, 0.65F}, {0.4995F, 0.5005F}, {0.5F, 0.5F}};
  const AnswerDifference all = CompareAnswers(server, python, labels, photos, 2e-3);
  EXPECT_THAT(all.wrong, ElementsAre(HasSubstr("2.png: we say b (0.7000), PyTorch says b (0.6500)"),
                                     HasSubstr("4.png")));
  EXPECT_EQ(CompareAnswers({}, python, labels, photos, 1).wrong.size(), 4U);
}

}  // namespace
}  // namespace xcloud
