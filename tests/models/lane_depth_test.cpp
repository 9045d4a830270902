// Lanes of depth 2: one batch runs while the next is staged and launched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>

#include "tests/models/lane_fixture.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeepLaneTest : public LaneTest {
 protected:
  DeepLaneTest() : LaneTest(2) { network_->collecting = &gate_; }
  Gate gate_;  // holds whoever waits for a batch
};

TEST_F(DeepLaneTest, StagesAndLaunchesTheNextBatchWhileOneRuns) {
  EXPECT_EQ(lane_->info().depth, 2U);
  auto first = StartBatch(BatchOf(Photo(0)));
  gate_.WaitForArrivals(1);  // it runs
  auto second = StartBatch(BatchOf(Photo(1), Photo(2)));
  network_->launched.WaitForArrivals(2);  // would never come if it waited for the first
  EXPECT_THAT(events(), IsEmpty());
  gate_.Open();
  EXPECT_EQ(first.get().outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(second.get().outcome, BatchOutcome::kAnswered);
  ASSERT_EQ(results().size(), 3U);
  EXPECT_EQ(results()[0].predictions.at(0).label, "a");
  EXPECT_EQ(results()[1].predictions.at(0).label, "b");
  EXPECT_EQ(results()[2].predictions.at(0).label, "c");
  EXPECT_EQ(device_.prepared(), network_->threads());
  EXPECT_EQ(network_->threads().size(), 2U);
}

TEST_F(DeepLaneTest, AnswersInTheOrderOfTheStarts) {
  auto first = StartBatch(BatchOf(Photo(0), Photo(1)), "first");
  gate_.WaitForArrivals(1);
  auto second = StartBatch(BatchOf(Photo(2, Cancelled())), "second");  // nothing to run
  gate_.Open();
  first.get();
  second.get();
  EXPECT_THAT(events(), ElementsAre("answer", "answer", "first", "answer", "second"));
}

TEST_F(DeepLaneTest, KeepsManyBatchesApart) {
  std::promise<void> finished;
  constexpr int kBatches = 200;
  std::atomic<int> started{0};
  std::atomic<int> done{0};
  std::function<void(BatchReport)> next = [&](BatchReport report) {
    EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
    const int index = started.fetch_add(1);
    if (index < kBatches) lane_->Start(BatchOf(Photo(static_cast<std::uint8_t>(index % 4))), next);
    if (done.fetch_add(1) + 1 == kBatches) finished.set_value();
  };
  started = 2;
  lane_->Start(BatchOf(Photo(0)), next);
  lane_->Start(BatchOf(Photo(1)), next);
  gate_.Open();  // from here on batches start on the lane's thread only
  finished.get_future().get();
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), static_cast<std::size_t>(kBatches));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].predictions.at(0).index, static_cast<int>(i % 4)) << "batch " << i;
  }
}

TEST_F(DeepLaneTest, ABatchIsChargedWithItsOwnTimeNotWithItsWait) {
  const TimePoint start = clock_.Now();
  auto first = StartBatch(BatchOf(Photo(0)));
  gate_.WaitForArrivals(1);
  auto second = StartBatch(BatchOf(Photo(1)));
  network_->launched.WaitForArrivals(2);  // at 4 ms: two stagings of 2 ms
  clock_.Advance(milliseconds(100));      // the first takes long
  gate_.Open();
  first.get();
  EXPECT_EQ(second.get().elapsed, milliseconds(5));
  const StageTimes stages = results().at(1).stages;
  EXPECT_EQ(stages.forward_start - start, milliseconds(107)) << "when the first had ended";
  EXPECT_EQ(stages.forward_end - start, milliseconds(110));
}

TEST_F(DeepLaneTest, APoisonedBatchDoesNotHarmTheOneBehindIt) {
  auto first = StartBatch(BatchOf(Photo(PuppetNetwork::kPoison)));
  gate_.WaitForArrivals(1);
  auto second = StartBatch(BatchOf(Photo(3)));
  network_->launched.WaitForArrivals(2);
  gate_.Open();
  EXPECT_EQ(first.get().outcome, BatchOutcome::kBatchFailed);
  EXPECT_EQ(second.get().outcome, BatchOutcome::kAnswered);
  ASSERT_EQ(results().size(), 1U);
  EXPECT_EQ(results()[0].predictions.at(0).label, "d");
}

TEST_F(DeepLaneTest, AFaultyDeviceFailsBothBatches) {
  network_->broken = true;
  auto first = StartBatch(BatchOf(Photo(0)));
  auto second = StartBatch(BatchOf(Photo(1)));
  gate_.Open();
  EXPECT_EQ(first.get().outcome, BatchOutcome::kDeviceFailed);
  EXPECT_EQ(second.get().outcome, BatchOutcome::kDeviceFailed);
  EXPECT_THAT(results(), IsEmpty());
  network_->broken = false;
  EXPECT_EQ(RunProbe().outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(RunBatch(Photo(2)).outcome, BatchOutcome::kAnswered);
}

TEST_F(DeepLaneTest, TheSecondBatchMayBeTakenBackAsWell) {
  auto first = StartBatch(BatchOf(Photo(0)));
  gate_.WaitForArrivals(1);
  Batch batch = BatchOf(Photo(1));
  EXPECT_TRUE(batch.claim->Take());
  auto second = StartBatch(std::move(batch));
  gate_.Open();
  EXPECT_EQ(first.get().outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(second.get().outcome, BatchOutcome::kTakenBack);
  EXPECT_EQ(results().size(), 1U);
}

TEST_F(DeepLaneTest, TheDestructorFinishesBothBatches) {
  StartBatch(BatchOf(Photo(1)), "first");
  gate_.WaitForArrivals(1);
  StartBatch(BatchOf(Photo(2)), "second");
  auto gone = std::async(std::launch::async, [this] { lane_.reset(); });
  gate_.Open();
  gone.get();
  EXPECT_THAT(events(), ElementsAre("answer", "first", "answer", "second"));
}

using DeepLaneDeathTest = DeepLaneTest;

TEST_F(DeepLaneDeathTest, MoreBatchesThanTheDepthAreABrokenInvariant) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        for (int i = 0; i < 3; ++i) StartBatch(BatchOf(Photo(0)));
      },
      "broken invariant.*depth");
}

}  // namespace
}  // namespace xcloud
