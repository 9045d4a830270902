// backend = "native": a state dict in a repository's folder, served as any other model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include "models/cpu_device.h"
#include "models/preprocess.h"
#include "models/repository.h"
#include "models/zoo/layers.h"
#include "models/zoo/safetensors.h"
#include "models/zoo/state_dict.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class NativeBackendTest : public ::testing::Test {
 protected:
  // ROOT/patch: IQANet with two outputs on photos of 32 x 32.
  void WriteRepository(const std::string& network) {
    folder_.Write("patch/model.toml", "[model]\nfile = \"weights.safetensors\"\nnetwork = \"" +
                                          network + "\"\n[preprocess]\nresize = 32\ncrop = 32\n");
    folder_.Write("patch/labels.txt", "poor\ngood\n");
    network_ = *zoo::MakeZooNetwork("iqanet", 2);
    zoo::Initialize(*network_, 9);
    network_->eval();
    const auto file = folder_.path() / "patch/1/weights.safetensors";
    std::filesystem::create_directories(file.parent_path());
    ASSERT_TRUE(zoo::WriteSafetensors(file, zoo::StateDictOf(*network_)).ok());
  }

  Result<std::vector<std::unique_ptr<Network>>> Load() {
    const RepositoryEntry entry = ReadRepositoryEntry(folder_.path() / "patch");
    EXPECT_EQ(entry.state, ServiceState::kLoading) << entry.reason;
    definition_ = entry.definition;
    return MakeCpuDevice({"cpu0", 1, 1, {}})->MakeNetworks(entry.definition, entry.weights);
  }

  TempFolder folder_;
  zoo::LayerPtr network_;
  ModelDefinition definition_;
};

TEST_F(NativeBackendTest, ServesTheStateDictsNetwork) {
  WriteRepository("iqanet");
  auto networks = Load();
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  const PreprocessSpec& spec = definition_.preprocess;
  std::vector<std::vector<std::uint8_t>> photos(3, std::vector<std::uint8_t>(spec.PixelBytes()));
  std::vector<NetworkItem> items;
  at::Tensor input = at::empty({3, 3, 32, 32});
  for (std::size_t n = 0; n < photos.size(); ++n) {
    for (std::size_t i = 0; i < photos[n].size(); ++i) {
      photos[n][i] = static_cast<std::uint8_t>((i * i / 7 + i * (31 + n)) % 251);
    }
    items.push_back({photos[n].data(), nullptr, nullptr});
    NormalizeInto(photos[n].data(), spec, input.data_ptr<float>() + n * spec.PixelBytes());
  }
  const c10::InferenceMode no_autograd;
  const at::Tensor expected = network_->forward(input);
  std::vector<float> scores(6);
  ASSERT_TRUE((*networks)[0]->Run(0, items, 3, scores.data()).ok());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_NEAR(scores[i], expected.data_ptr<float>()[i], 1e-4) << i;
  }
}

TEST_F(NativeBackendTest, SaysWhyTheWeightsDoNotFit) {
  WriteRepository("deeppatchcnn");
  EXPECT_THAT(Load().status().message(),
              AllOf(HasSubstr("patch/1/weights.safetensors"), HasSubstr("read as deeppatchcnn"),
                    HasSubstr("missing: bn1")));
  WriteRepository("resnet1");
  EXPECT_THAT(Load().status().message(), HasSubstr("no network 'resnet1'; the zoo has resnet18"));
}

}  // namespace
}  // namespace xcloud
