#include "models/torchscript_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "models/cpu_device.h"
#include "models/preprocess.h"
#include "models/torchscript_module.h"
#include "tests/models/reference_network.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Picture;
using testing::ReferenceModel;
using testing::ReferenceScores;
using testing::TestModule;
using Pictures = std::vector<std::vector<std::uint8_t>>;

constexpr float kTolerance = 1e-5F;  // fp32 sums in another order

class TorchScriptBackendTest : public ::testing::Test {
 protected:
  std::unique_ptr<Network> Make(const std::string& file, const ModelDefinition& model) {
    auto networks = MakeTorchScriptNetworks(model, TestModule(file), 1);
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    return std::move((*networks)[0]);
  }
  std::string WhyRefused(const std::string& file) {
    auto networks = MakeTorchScriptNetworks(ReferenceModel(4), TestModule(file), 1);
    EXPECT_FALSE(networks.ok());
    EXPECT_EQ(networks.status().code(), StatusCode::kInvalidArgument);
    // The file by its place in the repository; where that lies is not for callers.
    EXPECT_THAT(networks.status().message(),
                AllOf(HasSubstr("reference/test_modules/" + file + ".pt"),
                      Not(HasSubstr(XCLOUD_BINARY_DIR))));
    return networks.status().message();
  }
};

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

TEST_F(TorchScriptBackendTest, GivesTheNetworksOwnScores) {
  auto network = Make("reference", ReferenceModel(4));
  EXPECT_EQ(network->output_size(), 3U);
  ExpectReferenceScores(*network, {Picture(1)});
}

TEST_F(TorchScriptBackendTest, FeedsNhwcWhereTheModelSaysSo) {
  ModelDefinition model = ReferenceModel(4);
  model.preprocess.layout = TensorLayout::kNhwc;
  auto network = Make("reference_nhwc", model);
  ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3)});
}

// A caller's own input, at an odd address as in the middle of a body.
std::string TensorOf(const std::vector<std::uint8_t>& picture, const PreprocessSpec& spec) {
  std::vector<float> values(picture.size());
  NormalizeInto(picture.data(), spec, values.data());
  return "." + std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
}

TEST_F(TorchScriptBackendTest, TensorsAndPixelsOfOneBatchAreStagedAlike) {
  for (const auto& [file, layout] :
       {std::pair{"reference", TensorLayout::kNchw}, {"reference_nhwc", TensorLayout::kNhwc}}) {
    ModelDefinition model = ReferenceModel(4);
    model.preprocess.layout = layout;
    auto network = Make(file, model);
    const std::string tensor = TensorOf(Picture(2), model.preprocess);
    const std::vector<std::uint8_t> pixels = Picture(1);
    const std::vector<NetworkItem> items = {{pixels.data(), nullptr, nullptr},
                                            {nullptr, nullptr, tensor.data() + 1}};
    std::vector<float> scores(6);
    ASSERT_TRUE(network->Run(0, items, 2, scores.data()).ok());
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(scores[k], ReferenceScores(pixels)[k], kTolerance);
      EXPECT_NEAR(scores[3 + k], ReferenceScores(Picture(2))[k], kTolerance);
    }
  }
}

TEST_F(TorchScriptBackendTest, EveryBatchSizeAnswersEachItemAsIfItWereAlone) {
  auto network = Make("reference", ReferenceModel(5));
  // Falling sizes: what a larger batch left in the staging memory must not show.
  for (const int size : {5, 4, 3, 2, 1, 3, 5}) {
    Pictures pictures;
    for (int i = 0; i < size; ++i) pictures.push_back(Picture(10 * size + i));
    ExpectReferenceScores(*network, pictures);
  }
}

TEST_F(TorchScriptBackendTest, PaddedBatchesAnswerTheItemsAloneAndAsIfUnpadded) {
  auto network = Make("reference", ReferenceModel(8));
  ExpectReferenceScores(*network, {Picture(1), Picture(2), Picture(3)}, 8);
  std::vector<float> scores;
  ASSERT_TRUE(RunAll(*network, {Picture(4), Picture(5)}, scores, 5).ok());
  EXPECT_EQ(std::count(scores.begin(), scores.end(), -1.0F), 9) << "no score of a padding row";
}

// This network adds the whole batch's sum to each row: what lies in the padding shows in every
// score. It must be zeros, not an earlier batch.
TEST_F(TorchScriptBackendTest, PaddingIsZeroWhateverRanBefore) {
  auto network = Make("sums_batch", ReferenceModel(4));
  std::vector<float> alone;
  ASSERT_TRUE(RunAll(*network, {Picture(1)}, alone).ok());
  std::vector<float> scores;
  const std::vector<std::uint8_t> bright(ReferenceModel(4).preprocess.PixelBytes(), 240);
  ASSERT_TRUE(RunAll(*network, {bright, bright, bright, bright}, scores).ok());
  EXPECT_GT(scores[0], alone[0] + 1.0F) << "the network mixes no rows: this test proves nothing";
  ASSERT_TRUE(RunAll(*network, {Picture(1)}, scores, 4).ok());
  for (std::size_t k = 0; k < 3; ++k) EXPECT_FLOAT_EQ(scores[k], alone[k]);
}

TEST_F(TorchScriptBackendTest, TwoLanesShareTheWeightsAndRunAtOnce) {
  auto networks = MakeTorchScriptNetworks(ReferenceModel(3), TestModule("reference"), 2);
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  ASSERT_EQ(networks->size(), 2U);
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 2; ++lane) {
    lanes.emplace_back([&, lane] {
      SetTorchThreads(1);
      for (int round = 0; round < 50; ++round) {
        const int seed = 1000 * lane + round;
        ExpectReferenceScores(*(*networks)[static_cast<std::size_t>(lane)],
                              {Picture(seed), Picture(seed + 500), Picture(seed + 7)});
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST_F(TorchScriptBackendTest, AFailingForwardIsInternalAndTheNextBatchRuns) {
  auto network = Make("throws_on_white", ReferenceModel(2));
  const std::vector<std::uint8_t> white(ReferenceModel(2).preprocess.PixelBytes(), 255);
  std::vector<float> scores;
  const Status status = RunAll(*network, {Picture(1), white}, scores);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("reference"), Not(HasSubstr("secret")),
                                      Not(HasSubstr(".pt")), Not(HasSubstr("Traceback"))));
  EXPECT_TRUE(RunAll(*network, {Picture(1), Picture(2)}, scores).ok());
}

TEST_F(TorchScriptBackendTest, ARowShortIsInternalNotAnotherItemsScores) {
  auto network = Make("loses_rows", ReferenceModel(4));
  std::vector<float> scores;
  EXPECT_EQ(RunAll(*network, {Picture(1), Picture(2), Picture(3)}, scores).code(),
            StatusCode::kInternal);
  EXPECT_TRUE(RunAll(*network, {Picture(1), Picture(2)}, scores).ok());
}

TEST_F(TorchScriptBackendTest, RefusesWhatIsNotTorchScript) {
  EXPECT_THAT(WhyRefused("text"), HasSubstr("not a TorchScript file"));
  EXPECT_THAT(WhyRefused("absent"), HasSubstr("no such file"));
}

TEST_F(TorchScriptBackendTest, RefusesOutputsThatDoNotFitTheLabels) {
  EXPECT_THAT(WhyRefused("columns"), AllOf(HasSubstr("[2, 5]"), HasSubstr("[2, 3]")));
  EXPECT_THAT(WhyRefused("flat"), HasSubstr("[2]"));
  EXPECT_THAT(WhyRefused("pair"), HasSubstr("Tuple"));
  EXPECT_THAT(WhyRefused("double"), HasSubstr("Double"));
}

TEST_F(TorchScriptBackendTest, RefusesANetworkThatCannotRunItsDeclaredInput) {
  EXPECT_THAT(WhyRefused("always_throws"), HasSubstr("never runs"));
}

// The profiling executor makes an optimised plan on its second call of a shape, which costs
// seconds on real networks. Ours must never make one, whatever the batch size.
TEST_F(TorchScriptBackendTest, ANewBatchSizeIsNotCompiledFor) {
  auto module = TorchScriptModule::Load(TestModule("reference"), ReferenceModel(3), {});
  ASSERT_TRUE(module.ok()) << module.status().ToString();
  torch::jit::GraphExecutor& executor = (*module)->module().get_method("forward").get_executor();
  at::Tensor input;
  for (const int items : {1, 2, 3, 3, 2, 1}) {
    input = at::full({items, 3, testing::kHeight, testing::kWidth}, 0.5);
    ASSERT_TRUE((*module)->Forward(input).ok());
  }
  EXPECT_FALSE(executor.isOptimized());

  const c10::InferenceMode no_autograd;
  for (int call = 0; call < 3; ++call) (*module)->module().forward({input});
  EXPECT_TRUE(executor.isOptimized()) << "the check above proves nothing with this LibTorch";
}

TEST_F(TorchScriptBackendTest, LaneThreadsKeepTheirOwnThreadCounts) {
  auto one = MakeCpuDevice({"cpu0", 1, 1, {}});
  auto two = MakeCpuDevice({"cpu1", 1, 2, {}});
  for (int round = 0; round < 3; ++round) {
    std::thread([&] {
      one->PrepareLaneThread();
      std::thread([&] {
        two->PrepareLaneThread();
        EXPECT_EQ(at::get_num_threads(), 2);
      }).join();
      EXPECT_EQ(at::get_num_threads(), 1);
    }).join();
  }
}

}  // namespace
}  // namespace xcloud
