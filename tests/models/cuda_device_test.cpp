// Needs a GPU; says so where there is none.
#include "models/cuda_device.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "models/preprocess.h"
#include "models/resize_plan.h"
#include "models/torchscript_module.h"
#include "tests/models/reference_network.h"

namespace xcloud {
namespace {

using testing::Picture;
using testing::ReferenceModel;
using testing::ReferenceScores;
using testing::TestModule;
using Pictures = std::vector<std::vector<std::uint8_t>>;

constexpr float kTolerance = 2e-3F;  // fp32 convolutions may run as TF32
constexpr float kHalfTolerance = 1e-2F;

CudaDeviceOptions Options(const std::string& name, std::size_t lanes = 1) {
  CudaDeviceOptions options;
  options.name = name;
  options.lanes = lanes;
  return options;
}

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CountCudaDevices().ok()) GTEST_SKIP() << "no CUDA device";
  }
  std::unique_ptr<Device> Open(CudaDeviceOptions options) {
    auto device = OpenCudaDevice(std::move(options));
    EXPECT_TRUE(device.ok()) << device.status().ToString();
    (*device)->PrepareLaneThread();
    return std::move(*device);
  }
  // Warm, as what serves is.
  std::vector<std::unique_ptr<Network>> Make(Device& device, const std::string& file,
                                             const ModelDefinition& model) {
    auto networks = device.MakeNetworks(model, TestModule(file));
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    for (auto& network : *networks) {
      const auto profile = WarmUp(*network, model, device, clock_);
      EXPECT_TRUE(profile.ok()) << profile.status().ToString();
    }
    return std::move(*networks);
  }

  SystemClock clock_;
};

std::vector<NetworkItem> Items(const Pictures& pictures) {
  std::vector<NetworkItem> items;
  for (const auto& picture : pictures) items.push_back({picture.data(), nullptr, nullptr});
  return items;
}

std::vector<float> Scores(Network& network, const Pictures& pictures, std::size_t run_items,
                          std::size_t slot = 0) {
  std::vector<float> scores(run_items * network.output_size(), -1.0F);
  const Status status = network.Run(slot, Items(pictures), run_items, scores.data());
  EXPECT_TRUE(status.ok()) << status.ToString();
  return scores;
}

void ExpectReference(const float* scores, const Pictures& pictures, float tolerance) {
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const testing::Scores expected = ReferenceScores(pictures[i]);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(scores[i * 3 + k], expected[k], tolerance);
  }
}

Pictures Batch(int seed, int size) {
  Pictures pictures;
  for (int i = 0; i < size; ++i) pictures.push_back(Picture(seed + 10 * size + i));
  return pictures;
}

// Five sizes, of which two are padded to a bucket.
void ExpectReferenceScores(Network& network, int seed, float tolerance) {
  for (const int size : {5, 4, 3, 2, 1}) {
    const Pictures pictures = Batch(seed, size);
    ExpectReference(Scores(network, pictures, pictures.size()).data(), pictures, tolerance);
  }
}

// Two batches at a time, the second staged and launched before the first is collected.
void ExpectReferenceThroughBothSlots(Network& network, int seed) {
  Pictures batches[2];
  std::vector<float> scores(18);
  for (int round = 0; round < 50; ++round) {
    for (std::size_t slot = 0; slot < 2; ++slot) {
      batches[slot] = Batch(seed + round * 7 + static_cast<int>(slot), 1 + (round + 1) % 6);
      const std::vector<NetworkItem> items = Items(batches[slot]);
      ASSERT_TRUE(network.Stage(slot, items, items.size()).ok());
      ASSERT_TRUE(network.Launch(slot).ok());
    }
    for (std::size_t slot = 0; slot < 2; ++slot) {
      ASSERT_TRUE(network.Collect(slot, scores.data()).ok());
      ExpectReference(scores.data(), batches[slot], kTolerance);
    }
  }
}

TEST_F(CudaDeviceTest, GivesTheNetworksOwnScoresInBothPrecisionsAndLayouts) {
  for (const bool half : {false, true}) {
    CudaDeviceOptions options = Options("cuda0");
    options.half = half;
    auto device = Open(std::move(options));
    const float tolerance = half ? kHalfTolerance : kTolerance;
    ExpectReferenceScores(*Make(*device, "reference", ReferenceModel(6))[0], 1, tolerance);
    ModelDefinition nhwc = ReferenceModel(6);
    nhwc.preprocess.layout = TensorLayout::kNhwc;
    ExpectReferenceScores(*Make(*device, "reference_nhwc", nhwc)[0], 1, tolerance);
  }
}

TEST_F(CudaDeviceTest, AGraphGivesWhatTheEagerForwardGives) {
  auto graphs = Open(Options("graphs"));
  CudaDeviceOptions eager_options = Options("eager");
  eager_options.graphs = false;
  auto eager = Open(std::move(eager_options));
  auto with = std::move(Make(*graphs, "reference", ReferenceModel(6))[0]);
  auto without = std::move(Make(*eager, "reference", ReferenceModel(6))[0]);
  for (const int size : {6, 1, 5, 2, 3, 4, 1, 6}) {
    const Pictures pictures = Batch(size, size);
    const std::vector<float> a = Scores(*with, pictures, pictures.size());
    const std::vector<float> b = Scores(*without, pictures, pictures.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4F) << "size " << size;
  }
}

// This network adds the whole batch's sum to each row.
TEST_F(CudaDeviceTest, PaddingIsZeroWhateverRanBeforeAndGetsNoScores) {
  for (const bool graphs : {true, false}) {
    for (const bool resize : {true, false}) {
      CudaDeviceOptions options = Options("cuda0");
      options.graphs = graphs;
      options.resize = resize;
      auto device = Open(std::move(options));
      auto network = std::move(Make(*device, "sums_batch", ReferenceModel(4))[0]);
      const std::vector<float> alone = Scores(*network, {Picture(1)}, 1);
      const std::vector<std::uint8_t> bright(ReferenceModel(4).preprocess.PixelBytes(), 240);
      const std::vector<float> full = Scores(*network, {bright, bright, bright, bright}, 4);
      EXPECT_GT(full[0], alone[0] + 1.0F) << "the network mixes no rows: this proves nothing";
      for (std::size_t slot = 0; slot < 2; ++slot) {
        const std::vector<float> padded = Scores(*network, {Picture(1)}, 4, slot);
        for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(padded[k], alone[k], 1e-3F);
        for (std::size_t k = 3; k < padded.size(); ++k) EXPECT_EQ(padded[k], -1.0F);
      }
    }
  }
}

TEST_F(CudaDeviceTest, LanesOfOneGpuRunAtOnceFromOneDeviceOrTwo) {
  auto first = Open(Options("first", 2));
  auto second = Open(Options("second"));
  auto networks = Make(*first, "reference", ReferenceModel(6));
  networks.push_back(std::move(Make(*second, "reference", ReferenceModel(6))[0]));
  std::vector<std::thread> lanes;
  for (std::size_t lane = 0; lane < networks.size(); ++lane) {
    lanes.emplace_back([&, lane] {
      first->PrepareLaneThread();
      ExpectReferenceThroughBothSlots(*networks[lane], static_cast<int>(lane) * 1000);
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST_F(CudaDeviceTest, AModelAnswersRightWhileAnotherLoadsWarmsAndGoes) {
  auto device = Open(Options("cuda0"));
  auto serving = std::move(Make(*device, "reference", ReferenceModel(6))[0]);
  std::atomic<bool> stop{false};
  std::thread loader([&] {
    device->PrepareLaneThread();
    while (!stop.load())
      Make(*device, "reference_nhwc", [] {
        ModelDefinition nhwc = ReferenceModel(6);
        nhwc.preprocess.layout = TensorLayout::kNhwc;
        return nhwc;
      }());
  });
  for (int round = 0; round < 5; ++round) ExpectReferenceThroughBothSlots(*serving, round * 1000);
  stop = true;
  loader.join();
}

TEST_F(CudaDeviceTest, AFailingForwardIsInternalAndTheNextBatchRuns) {
  auto device = Open(Options("cuda0"));
  // It reads a value back, so it cannot be recorded as a graph either: it runs eagerly.
  auto network = std::move(Make(*device, "throws_on_white", ReferenceModel(2))[0]);
  const Pictures white = {
      std::vector<std::uint8_t>(ReferenceModel(2).preprocess.PixelBytes(), 255)};
  std::vector<float> scores(3);
  EXPECT_EQ(network->Run(0, Items(white), 1, scores.data()).code(), StatusCode::kInternal);
  EXPECT_TRUE(network->Run(0, Items({Picture(1)}), 1, scores.data()).ok());
}

TEST_F(CudaDeviceTest, PhotosOfAnySizeAreResizedOnTheDevice) {
  CudaDeviceOptions options = Options("cuda0");
  options.resize = true;
  auto device = Open(std::move(options));
  EXPECT_TRUE(device->wants_decoded_images());
  ModelDefinition model = ReferenceModel(6);
  model.preprocess.resize_width = 9;
  auto network = std::move(Make(*device, "reference", model)[0]);
  Pictures resized;
  std::vector<std::unique_ptr<const ResizableImage>> images;
  std::vector<NetworkItem> items;
  for (const auto& [width, height] : {std::pair{50, 37}, {37, 50}, {9, 9}, {100, 31}}) {
    Image image{width, height, {}};
    for (int i = 0; i < width * height * 3; ++i) {
      image.rgb.push_back(static_cast<std::uint8_t>(i * i / 11 + i * 37));
    }
    resized.emplace_back(model.preprocess.PixelBytes());
    ResizeAndCrop(image, model.preprocess, resized.back().data());
    images.push_back(MakeResizable(image, model.preprocess));
    ASSERT_NE(images.back(), nullptr);
    items.push_back({nullptr, images.back().get()});
  }
  resized.push_back(Picture(3));  // one that the decode threads have resized
  items.push_back({resized.back().data(), nullptr});
  std::vector<float> scores(18);
  ASSERT_TRUE(network->Run(1, items, 6, scores.data()).ok());
  ExpectReference(scores.data(), resized, kTolerance);
}

TEST_F(CudaDeviceTest, AnIndexThatDoesNotExistIsRefused) {
  CudaDeviceOptions options = Options("far");
  options.index = 64;
  auto device = OpenCudaDevice(std::move(options));
  ASSERT_FALSE(device.ok());
  EXPECT_NE(device.status().message().find("'far'"), std::string::npos);
}

TEST_F(CudaDeviceTest, TensorsAndPixelsOfOneBatchAreStagedAlike) {
  for (const bool resizes : {false, true}) {
    CudaDeviceOptions options = Options("cuda0");
    options.resize = resizes;
    auto device = Open(std::move(options));
    const ModelDefinition model = ReferenceModel(4);
    auto networks = Make(*device, "reference", model);
    const Pictures pictures = {Picture(1), Picture(2), Picture(3)};
    std::vector<float> values(pictures[1].size());
    NormalizeInto(pictures[1].data(), model.preprocess, values.data());
    std::vector<NetworkItem> items = Items(pictures);
    items[1] = {nullptr, nullptr, reinterpret_cast<const char*>(values.data())};
    std::vector<float> scores(4 * 3);
    ASSERT_TRUE(networks[0]->Run(0, items, 4, scores.data()).ok());
    ExpectReference(scores.data(), pictures, kTolerance);
  }
}

}  // namespace
}  // namespace xcloud
