// Needs a GPU; says so where there is none.
#include "models/cuda_device.h"

#include <gtest/gtest.h>

#include <thread>

#include "models/torchscript_module.h"
#include "tests/models/reference_network.h"

namespace xcloud {
namespace {

using testing::Picture;
using testing::ReferenceModel;
using testing::ReferenceScores;
using testing::TestModule;

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CountCudaDevices().ok()) GTEST_SKIP() << "no CUDA device";
  }
  std::unique_ptr<Device> Open(bool half, std::size_t lanes) {
    auto device = OpenCudaDevice({"cuda0", 0, lanes, half}, clock_);
    EXPECT_TRUE(device.ok()) << device.status().ToString();
    (*device)->PrepareLaneThread();
    return std::move(*device);
  }
  std::vector<std::unique_ptr<Network>> Make(Device& device, const std::string& file,
                                             const ModelDefinition& model) {
    auto networks = device.MakeNetworks(model, TestModule(file));
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    return std::move(*networks);
  }

  SystemClock clock_;
};

// Five sizes, of which two are padded to a bucket.
void ExpectReferenceScores(Network& network, int seed, float tolerance) {
  for (const int size : {5, 4, 3, 2, 1}) {
    std::vector<std::vector<std::uint8_t>> pictures;
    std::vector<const std::uint8_t*> items;
    for (int i = 0; i < size; ++i) pictures.push_back(Picture(seed + 10 * size + i));
    for (const auto& picture : pictures) items.push_back(picture.data());
    std::vector<float> scores(items.size() * 3);
    TimePoint forward_start;
    const Status status = network.Run(items, scores.data(), &forward_start);
    ASSERT_TRUE(status.ok()) << status.ToString();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const testing::Scores expected = ReferenceScores(pictures[i]);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(scores[i * 3 + k], expected[k], tolerance) << "size " << size << ", item " << i;
      }
    }
  }
}

TEST_F(CudaDeviceTest, GivesTheNetworksOwnScoresInBothPrecisionsAndLayouts) {
  for (const bool half : {false, true}) {
    auto device = Open(half, 1);
    const float tolerance = half ? 1e-2F : 2e-3F;  // fp32 convolutions may run as TF32
    ExpectReferenceScores(*Make(*device, "reference", ReferenceModel(6))[0], 1, tolerance);
    ModelDefinition nhwc = ReferenceModel(6);
    nhwc.preprocess.layout = TensorLayout::kNhwc;
    ExpectReferenceScores(*Make(*device, "reference_nhwc", nhwc)[0], 1, tolerance);
  }
}

TEST_F(CudaDeviceTest, LanesOfOneGpuRunAtOnceFromOneDeviceOrTwo) {
  auto first = Open(false, 2);
  auto second = Open(false, 1);
  auto networks = Make(*first, "reference", ReferenceModel(6));
  networks.push_back(std::move(Make(*second, "reference", ReferenceModel(6))[0]));
  std::vector<std::thread> lanes;
  for (std::size_t lane = 0; lane < networks.size(); ++lane) {
    lanes.emplace_back([&, lane] {
      first->PrepareLaneThread();
      for (int round = 0; round < 50; ++round) {
        ExpectReferenceScores(*networks[lane], static_cast<int>(lane) * 1000 + round, 2e-3F);
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST_F(CudaDeviceTest, AFailingForwardIsInternalAndTheNextBatchRuns) {
  auto device = Open(false, 1);
  auto network = std::move(Make(*device, "throws_on_white", ReferenceModel(2))[0]);
  const std::vector<std::uint8_t> white(ReferenceModel(2).preprocess.PixelBytes(), 255);
  const std::vector<std::uint8_t> picture = Picture(1);
  std::vector<float> scores(3);
  TimePoint forward_start;
  const std::uint8_t* item = white.data();
  EXPECT_EQ(network->Run({&item, 1}, scores.data(), &forward_start).code(), StatusCode::kInternal);
  item = picture.data();
  EXPECT_TRUE(network->Run({&item, 1}, scores.data(), &forward_start).ok());
}

TEST_F(CudaDeviceTest, AnIndexThatDoesNotExistIsRefused) {
  auto device = OpenCudaDevice({"far", 64, 1, false}, clock_);
  ASSERT_FALSE(device.ok());
  EXPECT_NE(device.status().message().find("'far'"), std::string::npos);
}

}  // namespace
}  // namespace xcloud
