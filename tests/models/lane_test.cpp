#include "models/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/models/lane_fixture.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(LaneTest, TellsWhatTheDeviceSays) {
  EXPECT_EQ(lane_->info().name, "dev/2");
  EXPECT_EQ(lane_->info().device, "dev");
  EXPECT_EQ(lane_->info().depth, 1U);
  EXPECT_EQ(lane_->info().hang_after, std::chrono::seconds(7));
}

TEST_F(LaneTest, EachPhotoGetsItsOwnScoresInOrder) {
  const BatchReport report = RunBatch(Photo(2), Photo(0), Photo(3));
  EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
  EXPECT_TRUE(report.whole);
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 3U);
  const std::vector<std::string> best = {"c", "a", "d"};
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(answers[i].status.ok()) << answers[i].status.ToString();
    EXPECT_EQ(answers[i].predictions.at(0).label, best[i]);
    EXPECT_EQ(answers[i].batch_items, 3U);
    EXPECT_EQ(answers[i].lane, "dev/2");
  }
}

TEST_F(LaneTest, TimesStagingAndForwardApartAndReportsTheirSum) {
  const TimePoint start = clock_.Now();
  EXPECT_EQ(RunBatch(Photo(1)).elapsed, milliseconds(5));
  const StageTimes stages = results().at(0).stages;
  EXPECT_EQ(stages.batch_closed, closed_at_);
  EXPECT_EQ(stages.forward_start, start + milliseconds(2));
  EXPECT_EQ(stages.forward_end, start + milliseconds(5));
}

TEST_F(LaneTest, ReportsAfterEveryAnswer) {
  RunBatch(Photo(0), Photo(1));
  EXPECT_THAT(events(), ElementsAre("answer", "answer", "done"));
}

TEST_F(LaneTest, RunsOnItsOwnPreparedThread) {
  RunBatch(Photo(0));
  RunBatch(Photo(0));
  ASSERT_EQ(network_->threads().size(), 1U);
  EXPECT_EQ(network_->threads().count(std::this_thread::get_id()), 0U);
  EXPECT_EQ(device_.prepared(), network_->threads());
}

TEST_F(LaneTest, StartDoesNotWaitForTheBatch) {
  Gate gate;
  network_->collecting = &gate;
  auto report = StartBatch(BatchOf(Photo(0)));  // would never return if it waited
  gate.WaitForArrivals(1);
  gate.Open();
  EXPECT_EQ(report.get().outcome, BatchOutcome::kAnswered);
}

TEST_F(LaneTest, TheDestructorFinishesTheBatchInFlight) {
  Gate gate;
  network_->collecting = &gate;
  StartBatch(BatchOf(Photo(1)));
  gate.WaitForArrivals(1);
  auto gone = std::async(std::launch::async, [this] { lane_.reset(); });
  gate.Open();
  gone.get();
  EXPECT_THAT(events(), ElementsAre("answer", "done"));
  EXPECT_TRUE(results().at(0).status.ok());
}

TEST_F(LaneTest, TheBatchIsReleasedBeforeTheReport) {
  std::promise<long> holders;
  lane_->Start(BatchOf(Photo(0)), [&](BatchReport) { holders.set_value(model_.use_count()); });
  EXPECT_EQ(holders.get_future().get(), 1);
}

TEST_F(LaneTest, TheNextStartMayComeInsideTheReport) {
  std::promise<BatchReport> second;
  lane_->Start(BatchOf(Photo(0)), [&](BatchReport) {
    lane_->Start(BatchOf(Photo(1)), [&](BatchReport report) { second.set_value(report); });
  });
  EXPECT_EQ(second.get_future().get().outcome, BatchOutcome::kAnswered);
}

TEST_F(LaneTest, OneItemsScoresThatAreNotFiniteEndThatItemOnly) {
  network_->nan_class = 2;
  EXPECT_EQ(RunBatch(Photo(1), Photo(2), Photo(3)).outcome, BatchOutcome::kAnswered);
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_TRUE(answers[0].status.ok());
  EXPECT_EQ(answers[1].status.code(), StatusCode::kInternal);
  EXPECT_TRUE(answers[2].status.ok());
}

// Padding

TEST_F(LaneTest, PadsToTheSizeThatTheSchedulerChose) {
  Batch batch = BatchOf(Photo(1), Photo(2), Photo(3));
  batch.run_items = 8;
  const BatchReport report = StartBatch(std::move(batch)).get();
  EXPECT_TRUE(report.whole);
  EXPECT_THAT(network_->run_items(), ElementsAre(8));
  EXPECT_EQ(results().size(), 3U);
  EXPECT_EQ(results().at(0).batch_items, 3U);
}

// The claim

TEST_F(LaneTest, ABatchThatWasTakenBackIsNotAnswered) {
  Gate gate;
  network_->collecting = &gate;
  Batch batch = BatchOf(Photo(0), Photo(1, Cancelled()));
  const std::shared_ptr<BatchClaim> claim = batch.claim;
  auto report = StartBatch(std::move(batch));
  gate.WaitForArrivals(1);
  EXPECT_TRUE(claim->Take());  // as the scheduler does when a lane hangs
  gate.Open();
  EXPECT_EQ(report.get().outcome, BatchOutcome::kTakenBack);
  EXPECT_THAT(results(), IsEmpty()) << "neither what ran nor what was cancelled";
}

TEST_F(LaneTest, ABatchOfDeadThatWasTakenBackEndsNobody) {
  Batch batch = BatchOf(Photo(0, Cancelled()));
  EXPECT_TRUE(batch.claim->Take());
  EXPECT_EQ(StartBatch(std::move(batch)).get().outcome, BatchOutcome::kTakenBack);
  EXPECT_THAT(results(), IsEmpty());
}

TEST_F(LaneTest, TheClaimIsGoneOnceABatchIsAnswered) {
  Batch batch = BatchOf(Photo(0));
  const std::shared_ptr<BatchClaim> claim = batch.claim;
  StartBatch(std::move(batch)).get();
  EXPECT_FALSE(claim->Take());
}

// The dead

TEST_F(LaneTest, DeadPhotosAreNotRunAndAreToldWhy) {
  const BatchReport report =
      RunBatch(Photo(0, Cancelled()), Photo(1), Photo(2, Expired()), Photo(3));
  EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
  EXPECT_FALSE(report.whole) << "two of the four were run";
  EXPECT_THAT(network_->staged(), ElementsAre(ElementsAre(1, 3)));
  EXPECT_THAT(network_->run_items(), ElementsAre(2));
  const std::vector<InferenceResult> answers = results();
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(answers[1].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(answers[2].predictions.at(0).label, "b");
  EXPECT_EQ(answers[3].predictions.at(0).label, "d");
  EXPECT_EQ(answers[3].batch_items, 2U);
}

TEST_F(LaneTest, WithoutTheDeadTheBatchShrinksToAWarmedSizeOnly) {
  Batch batch = BatchOf(Photo(0), Photo(1), Photo(0, Cancelled()));
  for (int i = 0; i < 7; ++i) batch.parts.push_back({Photo(2), 0, 1});
  batch.items = batch.parts.size();  // 10, of which 9 live: 9 was not warmed, 16 was
  batch.run_items = 16;
  EXPECT_TRUE(StartBatch(std::move(batch)).get().whole) << "all 16 rows were run";
  EXPECT_THAT(network_->run_items(), ElementsAre(16));
}

TEST_F(LaneTest, ABatchThatLostEveryPhotoRunsNothing) {
  const BatchReport report = RunBatch(Photo(0, Cancelled()), Photo(1, Expired()));
  EXPECT_EQ(report.outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(report.elapsed, Duration::zero());
  EXPECT_FALSE(report.whole);
  EXPECT_THAT(network_->staged(), IsEmpty());
  ASSERT_EQ(results().size(), 2U);
  EXPECT_EQ(results()[0].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(results()[1].status.code(), StatusCode::kDeadlineExceeded);
}

// Failures and probes

TEST_F(LaneTest, APoisonedBatchIsReportedUnansweredAndItsClaimIsFree) {
  Batch batch = BatchOf(Photo(0), Photo(PuppetNetwork::kPoison), Photo(1, Cancelled()));
  const std::shared_ptr<BatchClaim> claim = batch.claim;
  const BatchReport report = StartBatch(std::move(batch)).get();
  EXPECT_EQ(report.outcome, BatchOutcome::kBatchFailed);
  EXPECT_EQ(report.status.code(), StatusCode::kInternal);
  EXPECT_THAT(results(), IsEmpty());
  EXPECT_TRUE(claim->Take());
  EXPECT_THAT(network_->staged().back(), ElementsAre(PuppetNetwork::kGrey)) << "the self test";
}

TEST_F(LaneTest, AfterAPoisonedBatchTheNextIsAnswered) {
  RunBatch(Photo(PuppetNetwork::kPoison));
  EXPECT_EQ(RunBatch(Photo(3)).outcome, BatchOutcome::kAnswered);
  EXPECT_EQ(results().at(0).predictions.at(0).label, "d");
}

TEST_F(LaneTest, AFailureToStageIsABatchFailureToo) {
  network_->fails_staging = true;
  const BatchReport report = RunBatch(Photo(0));
  EXPECT_EQ(report.outcome, BatchOutcome::kBatchFailed);
  EXPECT_EQ(report.status.message(), "no memory");
}

TEST_F(LaneTest, WhenTheSelfTestFailsAsWellItIsTheDevice) {
  network_->broken = true;
  Batch batch = BatchOf(Photo(0));
  const std::shared_ptr<BatchClaim> claim = batch.claim;
  EXPECT_EQ(StartBatch(std::move(batch)).get().outcome, BatchOutcome::kDeviceFailed);
  EXPECT_THAT(results(), IsEmpty());
  EXPECT_TRUE(claim->Take());
}

TEST_F(LaneTest, AProbeRunsTheModelThatRanLast) {
  network_->broken = true;
  RunBatch(Photo(0));
  EXPECT_EQ(RunProbe().outcome, BatchOutcome::kDeviceFailed);
  network_->broken = false;
  const BatchReport well = RunProbe();
  EXPECT_EQ(well.outcome, BatchOutcome::kAnswered);
  EXPECT_TRUE(well.status.ok());
  // The batch, its self test and two probes.
  EXPECT_EQ(network_->staged().size(), 4U);
}

TEST_F(LaneTest, AProbeWithNothingToRunFindsTheDeviceWell) {
  EXPECT_EQ(RunProbe().outcome, BatchOutcome::kAnswered) << "nothing was run yet";
  RunBatch(Photo(0));
  model_.reset();  // unloaded
  EXPECT_EQ(RunProbe().outcome, BatchOutcome::kAnswered);
}

using LaneDeathTest = LaneTest;

TEST_F(LaneDeathTest, PixelsOfTheWrongSizeAreABrokenInvariant) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto photo = Photo(0);
        static_cast<ItemRequest&>(*photo).pixels().push_back(0);
        RunBatch(std::move(photo));
      },
      "broken invariant.*pixels.size");
}

TEST_F(LaneDeathTest, ABatchWithoutAClaimIsABrokenInvariant) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Batch batch = BatchOf(Photo(0));
        batch.claim = nullptr;
        StartBatch(std::move(batch));
      },
      "broken invariant.*claim");
}

}  // namespace
}  // namespace xcloud
