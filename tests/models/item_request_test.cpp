#include "models/item_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "models/resize_plan.h"

namespace xcloud {
namespace {

class ItemRequestTest : public ::testing::Test {
 protected:
  ItemRequestTest() : model_(std::make_shared<LoadedModel>()) {
    model_->definition.name = "m";
    model_->definition.backend = "torchscript";
    model_->definition.activation = Activation::kNone;
    model_->definition.labels = {"zero", "one", "two"};
    model_->definition.answer.top_k = 2;
    model_->version = "7";
  }

  ItemRequest Make(InferenceRequest request = {}) {
    return ItemRequest(model_, std::move(request), CheckedInputs{},
                       [this](InferenceResult result) { results_.push_back(std::move(result)); });
  }
  const InferenceResult& Answered(ItemRequest request, std::vector<float> scores) {
    request.Answer(0, 1, scores, {3, "cpu0/1", At(1), At(2), At(3)});
    EXPECT_EQ(results_.size(), 1U);
    return results_.back();
  }
  static TimePoint At(int seconds) { return TimePoint(std::chrono::seconds(seconds)); }

  std::shared_ptr<LoadedModel> model_;
  std::vector<InferenceResult> results_;
};

TEST_F(ItemRequestTest, AnswersLabelsByFallingProbability) {
  const InferenceResult& result = Answered(Make(), {0.1F, 0.7F, 0.2F});
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.predictions.size(), 2U) << "the model's own top_k";
  EXPECT_EQ(result.predictions[0].label, "one");
  EXPECT_EQ(result.predictions[0].index, 1);
  EXPECT_FLOAT_EQ(result.predictions[0].probability, 0.7F);
  EXPECT_EQ(result.predictions[1].label, "two");
}

TEST_F(ItemRequestTest, SaysWhereAndWhenItRan) {
  InferenceRequest request;
  request.first_byte = At(-2);
  request.received = At(-1);
  const InferenceResult& result = Answered(Make(std::move(request)), {1.0F, 0.0F, 0.0F});
  EXPECT_EQ(result.model, "m");
  EXPECT_EQ(result.version, "7");
  EXPECT_EQ(result.lane, "cpu0/1");
  EXPECT_EQ(result.batch_items, 3U);
  EXPECT_EQ(result.stages.first_byte, At(-2));
  EXPECT_EQ(result.stages.received, At(-1));
  EXPECT_EQ(result.stages.batch_closed, At(1));
  EXPECT_EQ(result.stages.forward_start, At(2));
  EXPECT_EQ(result.stages.forward_end, At(3));
  EXPECT_FALSE(result.synthetic);
}

TEST_F(ItemRequestTest, CallerChoosesKUpToTheNumberOfLabels) {
  for (const auto& [asked, given] : {std::pair{1, 1U}, {3, 3U}, {1000, 3U}, {0, 2U}}) {
    results_.clear();
    InferenceRequest request;
    request.top_k = asked;
    EXPECT_EQ(Answered(Make(std::move(request)), {0.1F, 0.7F, 0.2F}).predictions.size(), given);
  }
}

TEST_F(ItemRequestTest, SoftmaxTurnsLogitsIntoProbabilities) {
  model_->definition.activation = Activation::kSoftmax;
  const InferenceResult& result = Answered(Make(), {0.0F, std::log(3.0F), 0.0F});
  EXPECT_NEAR(result.predictions[0].probability, 0.6F, 1e-6);
  EXPECT_NEAR(result.predictions[1].probability, 0.2F, 1e-6);
}

TEST_F(ItemRequestTest, BelowTheThresholdAnswersOneUnknown) {
  model_->definition.answer.threshold = 0.5;
  const InferenceResult& result = Answered(Make(), {0.3F, 0.4F, 0.3F});
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.predictions.size(), 1U);
  EXPECT_EQ(result.predictions[0].label, "Unknown");
  EXPECT_EQ(result.predictions[0].index, -1);
  EXPECT_FLOAT_EQ(result.predictions[0].probability, 0.4F);
}

TEST_F(ItemRequestTest, AtTheThresholdTheLabelStands) {
  model_->definition.answer.threshold = 0.5;
  EXPECT_EQ(Answered(Make(), {0.5F, 0.3F, 0.2F}).predictions[0].label, "zero");
}

TEST_F(ItemRequestTest, ScoresThatAreNotFiniteAreAnInternalError) {
  const InferenceResult& result = Answered(Make(), {0.5F, std::nanf(""), 0.2F});
  EXPECT_EQ(result.status.code(), StatusCode::kInternal);
  EXPECT_THAT(result.status.message(), ::testing::HasSubstr("no finite scores"));
  EXPECT_TRUE(result.predictions.empty());
}

TEST_F(ItemRequestTest, MarksTheNullBackendsAnswersAsSynthetic) {
  model_->definition.backend = "null";
  EXPECT_TRUE(Answered(Make(), {0.5F, 0.3F, 0.2F}).synthetic);
}

TEST_F(ItemRequestTest, RefusalTellsTheStatusAndNoPredictions) {
  ItemRequest request = Make();
  request.RefuseAll(Status::Overloaded("full", std::chrono::milliseconds(40)));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(results_[0].status.retry_after(), std::chrono::milliseconds(40));
  EXPECT_EQ(results_[0].model, "m");
  EXPECT_TRUE(results_[0].predictions.empty());
}

TEST_F(ItemRequestTest, ResizesTheDecodedPhotoOrKeepsItForADeviceThatResizes) {
  model_->definition.preprocess.resize_width = 4;
  model_->definition.preprocess.crop_width = 4;
  model_->definition.preprocess.crop_height = 4;
  const Image image{8, 8, std::vector<std::uint8_t>(192, 50)};
  ItemRequest here = Make();
  here.SetDecoded(0, image, /*device_resizes=*/false);
  ASSERT_NE(here.item(0).pixels, nullptr);
  EXPECT_EQ(here.item(0).image, nullptr);
  EXPECT_EQ(here.pixels(), std::vector<std::uint8_t>(48, 50));
  ItemRequest there = Make();
  there.SetDecoded(0, image, /*device_resizes=*/true);
  ASSERT_NE(there.item(0).image, nullptr);
  EXPECT_EQ(there.item(0).pixels, nullptr);
  EXPECT_EQ(there.item(0).image->image.rgb, image.rgb);
}

TEST_F(ItemRequestTest, APhotoThatFitsNoDeviceIsResizedHere) {
  model_->definition.preprocess.resize_width = 4;
  model_->definition.preprocess.crop_width = 4;
  model_->definition.preprocess.crop_height = 4;
  ItemRequest request = Make();
  request.SetDecoded(0, {100, 100, std::vector<std::uint8_t>(30'000, 50)}, true);  // to 1/25
  ASSERT_NE(request.item(0).pixels, nullptr);
  EXPECT_EQ(request.pixels(), std::vector<std::uint8_t>(48, 50));
}

TEST_F(ItemRequestTest, ASecondEndIsABrokenInvariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ItemRequest request = Make();
        request.RefuseAll(Status::Internal("first"));
        request.RefuseAll(Status::Internal("second"));
      },
      "broken invariant");
}

TEST_F(ItemRequestTest, CarriesWhatTheSchedulerOrdersBy) {
  InferenceRequest asked;
  asked.priority = Priority::kHigh;
  asked.first_byte = At(5);
  asked.deadline = Deadline::At(At(9));
  asked.cancel = std::make_shared<CancelToken>();
  const CancelTokenPtr cancel = asked.cancel;
  const ItemRequest request = Make(std::move(asked));
  EXPECT_EQ(request.items, 1U);
  EXPECT_EQ(request.priority, Priority::kHigh);
  EXPECT_EQ(request.arrival, At(5));
  EXPECT_EQ(request.deadline.when(), At(9));
  EXPECT_FALSE(request.Cancelled());
  cancel->Cancel();
  EXPECT_TRUE(request.Cancelled());
  EXPECT_FALSE(Make().Cancelled()) << "without a token it cannot be cancelled";
}

}  // namespace
}  // namespace xcloud
