#include "models/openvino/openvino_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "models/cpu_device.h"
#include "models/preprocess.h"
#include "models/top_k.h"
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

std::filesystem::path File(const std::string& name) {
  return std::filesystem::path(XCLOUD_BINARY_DIR) / "test_modules" / "openvino" / name;
}

// Lanes of one thread run a batch item by item; lanes of two have a graph of any batch.
class OpenVinoBackendTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Network> Make(const std::string& file, const ModelDefinition& model) {
    auto networks = MakeOpenVinoNetworks(model, File(file), 1, GetParam());
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    return std::move((*networks)[0]);
  }
  std::string WhyRefused(const std::string& file) {
    auto networks = MakeOpenVinoNetworks(ReferenceModel(4), File(file), 1, GetParam());
    EXPECT_FALSE(networks.ok());
    EXPECT_EQ(networks.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(networks.status().message(),
                AllOf(HasSubstr("reference/openvino/" + file), Not(HasSubstr(XCLOUD_BINARY_DIR))));
    return networks.status().message();
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, OpenVinoBackendTest, ::testing::Values(1, 2));

// Padded to run_items; 0 = as many as there are pictures. Scores that were not written are -1.
Status RunAll(Network& network, const Pictures& pictures, std::vector<float>& scores,
              std::size_t run_items = 0) {
  std::vector<NetworkItem> items;
  for (const auto& picture : pictures) items.push_back({picture.data(), nullptr, nullptr});
  run_items = std::max(run_items, items.size());
  scores.assign(run_items * network.output_size(), -1.0F);
  return network.Run(0, items, run_items, scores.data());
}

void ExpectReferenceScores(Network& network, const Pictures& pictures, std::size_t run_items = 0) {
  std::vector<float> scores;
  const Status status = RunAll(network, pictures, scores, run_items);
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const testing::Scores expected = ReferenceScores(pictures[i]);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      EXPECT_NEAR(scores[i * 3 + k], expected[k], kTolerance) << "item " << i << ", class " << k;
    }
  }
}

TEST_P(OpenVinoBackendTest, ReadsIrAndOnnx) {
  for (const char* file : {"reference.xml", "reference.onnx"}) {
    auto network = Make(file, ReferenceModel(4));
    EXPECT_EQ(network->output_size(), 3U);
    ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3)});
  }
}

TEST_P(OpenVinoBackendTest, FeedsNhwcWhereTheModelSaysSo) {
  ModelDefinition model = ReferenceModel(4);
  model.preprocess.layout = TensorLayout::kNhwc;
  auto network = Make("reference_nhwc.xml", model);
  ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3)});
}

TEST_P(OpenVinoBackendTest, TensorsAndPixelsOfOneBatchAreStagedAlike) {
  const ModelDefinition model = ReferenceModel(4);
  auto network = Make("reference.xml", model);
  std::vector<float> values(model.item_values());
  NormalizeInto(Picture(2).data(), model.preprocess, values.data());
  // At an odd address, as in the middle of a body.
  const std::string body =
      "." + std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  const std::vector<std::uint8_t> pixels = Picture(1);
  const std::vector<NetworkItem> items = {{pixels.data(), nullptr, nullptr},
                                          {nullptr, nullptr, body.data() + 1}};
  std::vector<float> scores(6);
  ASSERT_TRUE(network->Run(0, items, 2, scores.data()).ok());
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(scores[k], ReferenceScores(pixels)[k], kTolerance);
    EXPECT_NEAR(scores[3 + k], ReferenceScores(Picture(2))[k], kTolerance);
  }
}

TEST_P(OpenVinoBackendTest, EveryBatchSizeAnswersEachItemAsIfItWereAlone) {
  auto network = Make("reference.xml", ReferenceModel(5));
  // Falling sizes: what a larger batch left in the staging memory must not show.
  for (const int size : {5, 4, 3, 2, 1, 3, 5}) {
    Pictures pictures;
    for (int i = 0; i < size; ++i) pictures.push_back(Picture(10 * size + i));
    ExpectReferenceScores(*network, pictures);
  }
}

TEST_P(OpenVinoBackendTest, PaddedBatchesAnswerTheItemsAlone) {
  auto network = Make("reference.xml", ReferenceModel(8));
  ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3)}, 8);
  std::vector<float> scores;
  ASSERT_TRUE(RunAll(*network, {Picture(4), Picture(5)}, scores, 5).ok());
  EXPECT_EQ(std::count(scores.begin(), scores.end(), -1.0F), 9) << "no score of a padding row";
}

TEST_P(OpenVinoBackendTest, AFileOfOneItemServesBatchesItemByItem) {
  auto network = Make("fixed_batch.xml", ReferenceModel(4));
  ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3), Picture(4)});
}

TEST_P(OpenVinoBackendTest, LanesRunAtOnce) {
  auto networks = MakeOpenVinoNetworks(ReferenceModel(3), File("reference.xml"), 2, GetParam());
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  ASSERT_EQ(networks->size(), 2U);
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 2; ++lane) {
    lanes.emplace_back([&, lane] {
      for (int round = 0; round < 50; ++round) {
        const int seed = 1000 * lane + round;
        ExpectReferenceScores(*(*networks)[static_cast<std::size_t>(lane)],
                              {Picture(seed), Picture(seed + 500), Picture(seed + 7)});
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST_P(OpenVinoBackendTest, ModelsOfTensorsGiveTheirValues) {
  ModelDefinition model;
  model.name = "reference";
  model.batching.max_batch = 4;
  model.tensor_input = TensorSpec{"x", DataType::kFp32, {-1, 5}};
  model.values_output = TensorSpec{"y", DataType::kFp32, {-1, 2, 2}};
  auto network = Make("tensor.xml", model);
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const auto* bytes = reinterpret_cast<const char*>(rows.data());
  const std::vector<NetworkItem> items = {
      {nullptr, nullptr, bytes}, {nullptr, nullptr, bytes + 20}, {nullptr, nullptr, bytes + 40}};
  std::vector<float> values(12);
  ASSERT_TRUE(network->Run(0, items, 3, values.data()).ok());
  EXPECT_THAT(values, ::testing::ElementsAre(1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15));
}

// Nobody may take such scores for an answer.
TEST_P(OpenVinoBackendTest, WhatIsNoNumberComesOutAsItIs) {
  auto network = Make("not_a_number.xml", ReferenceModel(2));
  std::vector<float> scores;
  const std::vector<std::uint8_t> black(ReferenceModel(2).preprocess.PixelBytes(), 0);
  ASSERT_TRUE(RunAll(*network, {Picture(1), black}, scores).ok());
  EXPECT_TRUE(TopK({scores.data(), 3}, Activation::kSoftmax, 1).ok());
  EXPECT_TRUE(std::isnan(scores[3]));
  EXPECT_EQ(TopK({scores.data() + 3, 3}, Activation::kSoftmax, 1).status().code(),
            StatusCode::kInternal);
}

TEST_P(OpenVinoBackendTest, RefusesWhatIsNoModel) {
  EXPECT_THAT(WhyRefused("text.xml"), HasSubstr("cannot read it"));
  EXPECT_THAT(WhyRefused("text.onnx"), HasSubstr("cannot read it"));
  EXPECT_THAT(WhyRefused("no_bin.xml"), HasSubstr("reference/openvino/no_bin.xml"));
  EXPECT_THAT(WhyRefused("absent.xml"), HasSubstr("no such file"));
}

TEST_P(OpenVinoBackendTest, RefusesWhatDoesNotFitTheDefinition) {
  EXPECT_THAT(WhyRefused("columns.xml"), AllOf(HasSubstr("[1,5]"), HasSubstr("[1,3]")));
  EXPECT_THAT(WhyRefused("flat.xml"), HasSubstr("[1]"));
  EXPECT_THAT(WhyRefused("pair.xml"), HasSubstr("2 outputs"));
  EXPECT_THAT(WhyRefused("two_inputs.xml"), HasSubstr("2 inputs"));
  EXPECT_THAT(WhyRefused("double.xml"), HasSubstr("f64"));
  EXPECT_THAT(WhyRefused("larger.xml"), HasSubstr("cannot run the declared input"));
}

TEST(OpenVinoDeviceTest, CpuDevicesTakeOnnxByItsEnding) {
  ModelDefinition model = ReferenceModel(2);
  model.backend = "auto";
  model.file = "reference.onnx";
  auto networks = MakeCpuDevice({"cpu0", 2, 1, {}})->MakeNetworks(model, File("reference.onnx"));
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  ASSERT_EQ(networks->size(), 2U);
  ExpectReferenceScores(*networks->back(), {Picture(1), Picture(2)});
}

}  // namespace
}  // namespace xcloud
