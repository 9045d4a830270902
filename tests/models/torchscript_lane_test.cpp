// A lane on a real LibTorch network: which failures are a photo's and which the device's, and that
// padded batches answer as unpadded ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "models/cpu_device.h"
#include "models/item_request.h"
#include "models/lane.h"
#include "tests/models/reference_network.h"

namespace xcloud {
namespace {

using testing::Picture;
using testing::ReferenceModel;
using testing::TestModule;
using Pixels = std::vector<std::uint8_t>;

class TorchScriptLaneTest : public ::testing::Test {
 protected:
  std::shared_ptr<LoadedModel> Load(const std::string& file) {
    auto model = std::make_shared<LoadedModel>();
    model->definition = ReferenceModel(8);
    model->output_size = 3;
    auto networks = device_->MakeNetworks(model->definition, TestModule(file));
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    model->networks = std::move(*networks);
    return model;
  }

  BatchReport Run(const std::shared_ptr<LoadedModel>& model, const std::vector<Pixels>& photos,
                  std::size_t run_items) {
    results_.clear();
    Batch batch;
    for (const Pixels& pixels : photos) {
      auto photo = std::make_unique<ItemRequest>(
          model, InferenceRequest{}, CheckedInputs{},
          [this](InferenceResult result) { results_.push_back(std::move(result)); });
      photo->pixels() = pixels;
      batch.parts.push_back({std::move(photo), 0, 1});
    }
    batch.items = photos.size();
    batch.run_items = run_items;
    batch.claim = std::make_shared<BatchClaim>();
    std::promise<BatchReport> reported;
    lane_.Start(std::move(batch), [&](BatchReport report) { reported.set_value(report); });
    return reported.get_future().get();
  }

  SystemClock clock_;
  std::unique_ptr<Device> device_ = MakeCpuDevice({"cpu0", 1, 1, {}});
  std::vector<InferenceResult> results_;  // written on the lane's thread before the report
  Lane lane_{*device_, 0, 0, clock_};
};

TEST_F(TorchScriptLaneTest, APoisonedPhotoFailsItsBatchAndTheDeviceIsWell) {
  const auto model = Load("throws_on_white");
  const Pixels white(model->definition.preprocess.PixelBytes(), 255);
  const BatchReport report = Run(model, {Picture(1), white, Picture(2)}, 4);
  EXPECT_EQ(report.outcome, BatchOutcome::kBatchFailed);
  EXPECT_EQ(report.status.code(), StatusCode::kInternal);
  EXPECT_TRUE(results_.empty());
  EXPECT_EQ(Run(model, {Picture(1), Picture(2)}, 2).outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(results_.size(), 2U);
}

TEST_F(TorchScriptLaneTest, ANetworkThatFailsEvenOnGreyCountsAsTheDevicesFault) {
  const auto model = Load("throws_on_flat");
  const Pixels dark(model->definition.preprocess.PixelBytes(), 3);
  EXPECT_EQ(Run(model, {Picture(1)}, 1).outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(Run(model, {dark}, 1).outcome, BatchOutcome::kDeviceFailed);
  EXPECT_TRUE(results_.empty());
}

TEST_F(TorchScriptLaneTest, APaddedBatchAnswersAsAnUnpaddedOne) {
  const auto model = Load("reference");
  for (const std::size_t run_items : {3U, 4U, 8U}) {
    const BatchReport report = Run(model, {Picture(1), Picture(2), Picture(3)}, run_items);
    EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
    EXPECT_TRUE(report.whole);
    EXPECT_GT(report.elapsed, Duration::zero());
    ASSERT_EQ(results_.size(), 3U);
    for (int i = 0; i < 3; ++i) {
      const testing::Scores expected = testing::ReferenceScores(Picture(i + 1));
      const auto best = std::max_element(expected.begin(), expected.end()) - expected.begin();
      EXPECT_EQ(results_[static_cast<std::size_t>(i)].predictions.at(0).index, best);
    }
  }
}

}  // namespace
}  // namespace xcloud
