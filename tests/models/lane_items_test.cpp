// Parts of several items: requests that hold more than one photo, and requests that were split.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "models/lane.h"
#include "tests/models/lane_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LaneItemsTest : public LaneTest {
 protected:
  BatchReport RunParts(std::vector<BatchPart> parts) {
    return StartBatch(BatchOfParts(std::move(parts))).get();
  }
  // The likeliest class of each row of "probabilities".
  static std::vector<std::size_t> Best(const InferenceResult& result) {
    EXPECT_EQ(result.outputs.size(), 1U);
    const Tensor& tensor = result.outputs.at(0);
    EXPECT_EQ(tensor.name, "probabilities");
    std::vector<float> values(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    EXPECT_EQ(tensor.shape,
              (std::vector<std::int64_t>{static_cast<std::int64_t>(values.size() / 4), 4}));
    std::vector<std::size_t> best;
    for (auto row = values.begin(); row != values.end(); row += 4) {
      best.push_back(static_cast<std::size_t>(std::max_element(row, row + 4) - row));
    }
    return best;
  }
};

TEST_F(LaneItemsTest, APartsItemsAreStagedInOrderAndAnsweredTogether) {
  const BatchReport report = RunParts({{Photos({2, 0, 3}), 0, 3}, {Photo(1), 0, 1}});
  EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
  EXPECT_TRUE(report.whole);
  EXPECT_THAT(network_->staged(), ElementsAre(ElementsAre(2, 0, 3, 1)));
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_THAT(Best(answers[0]), ElementsAre(2, 0, 3));
  EXPECT_EQ(answers[0].batch_items, 4U);
  EXPECT_EQ(answers[1].predictions.at(0).label, "b");
}

TEST_F(LaneItemsTest, ASplitRequestIsAnsweredWhenItsLastPartIs) {
  const ScheduledRequestPtr request = Photos({3, 1, 2, 0, 1});
  RunParts({{request, 3, 2}});  // the parts may come in any order
  EXPECT_THAT(results(), IsEmpty());
  RunParts({{Photo(2), 0, 1}, {request, 0, 3}});
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_THAT(Best(answers[1]), ElementsAre(3, 1, 2, 0, 1));
  EXPECT_EQ(answers[1].batch_items, 4U) << "of the last batch";
}

TEST_F(LaneItemsTest, DeadPartsAreLeftOutWithAllTheirItems) {
  const BatchReport report =
      RunParts({{Photo(1), 0, 1}, {Photos({0, 0, 0}, Cancelled()), 0, 3}, {Photos({2, 3}), 0, 2}});
  EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
  EXPECT_FALSE(report.whole);
  EXPECT_THAT(network_->staged(), ElementsAre(ElementsAre(1, 2, 3)));
  EXPECT_THAT(network_->run_items(), ElementsAre(3));
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(answers[1].predictions.at(0).label, "b");
  EXPECT_THAT(Best(answers[2]), ElementsAre(2, 3));
  EXPECT_EQ(answers[2].batch_items, 3U);
}

TEST_F(LaneItemsTest, OneItemThatIsNotFiniteFailsItsRequestAndNoOther) {
  network_->nan_class = 2;
  EXPECT_EQ(RunParts({{Photos({1, 2}), 0, 2}, {Photos({3, 1}), 0, 2}}).outcome,
            BatchOutcome::kAnswered);
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].status.code(), StatusCode::kInternal);
  EXPECT_THAT(answers[0].outputs, IsEmpty());
  EXPECT_THAT(Best(answers[1]), ElementsAre(3, 1));
}

TEST_F(LaneItemsTest, APartThatIsRefusedFailsTheRequestOnceTheOthersHaveEnded) {
  const ScheduledRequestPtr request = Photos({0, 1, 2});
  request->Refuse(2, 1, Status::Unavailable("the device is faulty"));
  EXPECT_THAT(results(), IsEmpty());
  RunParts({{request, 0, 2}});
  ASSERT_EQ(results().size(), 1U);
  EXPECT_EQ(results()[0].status.message(), "the device is faulty");
}

using LaneItemsDeathTest = LaneItemsTest;

TEST_F(LaneItemsDeathTest, ABatchThatCountsOtherItemsThanItsPartsIsABrokenInvariant) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Batch batch = BatchOfParts({{Photos({1, 2}), 0, 2}});
        batch.items = 1;
        StartBatch(std::move(batch));
      },
      "broken invariant.*ItemsOf");
}

}  // namespace
}  // namespace xcloud
