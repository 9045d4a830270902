#include "models/aoti/aoti_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include "models/cpu_device.h"
#include "tests/models/reference_network.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Picture;
using testing::ReferenceModel;
using testing::ReferenceScores;
using Pictures = std::vector<std::vector<std::uint8_t>>;

constexpr float kTolerance = 1e-5F;  // fp32 sums in another order

// Made by models/optimize/build_variants.py from the TorchScript test module.
std::filesystem::path Package(const std::string& name) {
  return std::filesystem::path(XCLOUD_BINARY_DIR) / "test_modules" / "aoti" / name;
}

void ExpectReferenceScores(Network& network, const Pictures& pictures, std::size_t run_items) {
  std::vector<NetworkItem> items;
  for (const auto& picture : pictures) items.push_back({picture.data(), nullptr, nullptr});
  std::vector<float> scores(run_items * 3, -1.0F);
  const Status status = network.Run(0, items, run_items, scores.data());
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const testing::Scores expected = ReferenceScores(pictures[i]);
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(scores[i * 3 + k], expected[k], kTolerance) << "item " << i << ", class " << k;
    }
  }
  for (std::size_t i = pictures.size() * 3; i < scores.size(); ++i) EXPECT_EQ(scores[i], -1.0F);
}

TEST(AotiBackendTest, EveryBatchSizeAnswersEachItemAsIfItWereAlone) {
  auto networks = MakeAotiNetworks(ReferenceModel(5), Package("aotinductor.pt2"), 1);
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  for (const int size : {5, 4, 3, 2, 1, 3, 5}) {
    Pictures pictures;
    for (int i = 0; i < size; ++i) pictures.push_back(Picture(10 * size + i));
    ExpectReferenceScores(*networks->front(), pictures, pictures.size());
  }
  ExpectReferenceScores(*networks->front(), {Picture(1), Picture(2)}, 5);
}

TEST(AotiBackendTest, LanesShareTheWeightsAndRunAtOnce) {
  auto device = MakeCpuDevice({"cpu0", 2, 1, {}});
  ModelDefinition model = ReferenceModel(3);
  model.backend = "auto";
  model.file = "aotinductor.pt2";
  auto networks = device->MakeNetworks(model, Package("aotinductor.pt2"));
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  ASSERT_EQ(networks->size(), 2U);
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 2; ++lane) {
    lanes.emplace_back([&, lane] {
      device->PrepareLaneThread();
      for (int round = 0; round < 50; ++round) {
        const int seed = 1000 * lane + round;
        ExpectReferenceScores(*(*networks)[static_cast<std::size_t>(lane)],
                              {Picture(seed), Picture(seed + 7)}, 3);
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST(AotiBackendTest, RefusesWhatIsNoPackage) {
  for (const auto& [file, why] :
       {std::pair{"absent.pt2", "no such file"}, {"text.pt2", "not an AOTInductor package"}}) {
    const auto networks = MakeAotiNetworks(ReferenceModel(2), Package(file), 1);
    ASSERT_FALSE(networks.ok());
    EXPECT_EQ(networks.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(networks.status().message(),
                AllOf(HasSubstr(why), HasSubstr(std::string("reference/aoti/") + file),
                      Not(HasSubstr(XCLOUD_BINARY_DIR))));
  }
}

TEST(AotiBackendTest, RefusesAnOutputThatDoesNotFitTheLabels) {
  ModelDefinition model = ReferenceModel(2);
  model.labels.emplace_back("d");
  const auto networks = MakeAotiNetworks(model, Package("aotinductor.pt2"), 1);
  ASSERT_FALSE(networks.ok());
  EXPECT_THAT(networks.status().message(), HasSubstr("[2, 3]"));
}

}  // namespace
}  // namespace xcloud
