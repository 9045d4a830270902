#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "models/model_statistics_recorder.h"
#include "tests/models/lane_fixture.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::HasSubstr;
using ::testing::Not;

TimePoint At(int ms) {
  return TimePoint(std::chrono::hours(1) + milliseconds(ms));
}

// Received at 0, decoded from 2 to 7, closed at 17, forward from 20 to 50, answered at 51.
InferenceResult Photo() {
  InferenceResult result;
  result.stages.received = At(0);
  result.stages.decode_start = At(2);
  result.stages.decode_end = At(7);
  result.stages.enqueued = At(7);
  result.stages.batch_closed = At(17);
  result.stages.forward_start = At(20);
  result.stages.forward_end = At(50);
  result.stages.answered = At(51);
  return result;
}

InferenceResult Refused(Status status) {
  InferenceResult result;
  result.status = std::move(status);
  result.stages.received = At(0);
  result.stages.answered = At(3);
  return result;
}

class StatisticsTest : public ::testing::Test {
 protected:
  std::uint64_t Ns(int ms) const { return static_cast<std::uint64_t>(ms) * 1'000'000; }

  MetricsRegistry metrics_;
  ModelStatisticsRecorder recorder_{metrics_, "m", "2", 4};
  const WallTime now_{milliseconds(1'700'000'000'123)};
};

TEST_F(StatisticsTest, PartsOfASuccessAddUpToItsWhole) {
  recorder_.RequestEnded(Photo(), 3, now_);
  const ModelStatistics seen = recorder_.Snapshot();
  EXPECT_EQ(seen.name, "m");
  EXPECT_EQ(seen.version, "2");
  EXPECT_EQ(seen.last_inference_ms, 1'700'000'000'123);
  EXPECT_EQ(seen.inference_count, 3U);
  EXPECT_EQ(seen.execution_count, 0U);
  EXPECT_EQ(seen.success.count, 1U);
  EXPECT_EQ(seen.success.ns, Ns(51));
  EXPECT_EQ(seen.queue.ns, Ns(12)) << "2 for a decode thread, 10 for a batch";
  EXPECT_EQ(seen.compute_input.ns, Ns(8)) << "5 to decode, 3 to stage";
  EXPECT_EQ(seen.compute_infer.ns, Ns(30));
  EXPECT_EQ(seen.compute_output.ns, Ns(1));
  EXPECT_EQ(seen.queue.ns + seen.compute_input.ns + seen.compute_infer.ns + seen.compute_output.ns,
            seen.success.ns);
  EXPECT_EQ(seen.fail.count, 0U);
}

TEST_F(StatisticsTest, TensorsAreNotDecoded) {
  InferenceResult result = Photo();
  result.stages.decode_start = result.stages.decode_end = {};
  recorder_.RequestEnded(result, 1, now_);
  EXPECT_EQ(recorder_.Snapshot().queue.ns, Ns(17));
  EXPECT_EQ(recorder_.Snapshot().compute_input.ns, Ns(3));
}

TEST_F(StatisticsTest, FailuresAreCountedByReasonAndAreNoInferences) {
  recorder_.RequestEnded(Refused(Status::Overloaded("full", milliseconds(1))), 1, now_);
  recorder_.RequestEnded(Refused(Status::DeadlineExceeded("late")), 1, now_);
  recorder_.RequestEnded(Refused(Status::Cancelled("gone")), 1, now_);
  recorder_.RequestEnded(Refused(Status::Internal("broken")), 1, now_);
  recorder_.RequestEnded(Refused(Status::UnsupportedMedia("no image")), 1, now_);
  const ModelStatistics seen = recorder_.Snapshot();
  EXPECT_EQ(seen.fail.count, 5U);
  EXPECT_EQ(seen.fail.ns, Ns(15));
  EXPECT_EQ(seen.success.count, 0U);
  EXPECT_EQ(seen.inference_count, 0U);
  EXPECT_EQ(seen.last_inference_ms, 0);
  const std::string text = metrics_.Render();
  const std::string failure = "nv_inference_request_failure{model=\"m\",reason=\"";
  EXPECT_THAT(text, HasSubstr(failure + "REJECTED\",version=\"2\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(failure + "CANCELED\",version=\"2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(failure + "BACKEND\",version=\"2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(failure + "OTHER\",version=\"2\"} 1\n"));
}

TEST_F(StatisticsTest, BatchesAreToldByTheirRealSize) {
  recorder_.BatchRan(3, milliseconds(1), milliseconds(10));
  recorder_.BatchAnswered(3, milliseconds(2));
  recorder_.BatchRan(1, milliseconds(1), milliseconds(4));
  recorder_.BatchRan(3, milliseconds(2), milliseconds(12));
  const ModelStatistics seen = recorder_.Snapshot();
  EXPECT_EQ(seen.execution_count, 3U);
  ASSERT_EQ(seen.batches.size(), 2U);
  EXPECT_EQ(seen.batches[0].batch_size, 1U);
  EXPECT_EQ(seen.batches[1].batch_size, 3U);
  EXPECT_EQ(seen.batches[1].compute_input.count, 2U);
  EXPECT_EQ(seen.batches[1].compute_input.ns, Ns(3));
  EXPECT_EQ(seen.batches[1].compute_infer.ns, Ns(22));
  EXPECT_EQ(seen.batches[1].compute_output.count, 1U);
  EXPECT_EQ(seen.batches[1].compute_output.ns, Ns(2));
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("nv_inference_exec_count{model=\"m\",version=\"2\"} 3\n"));
}

TEST_F(StatisticsTest, EverySeriesIsThereAtZeroUnderTritonsNames) {
  const std::string text = metrics_.Render();
  const std::string labels = "{model=\"m\",version=\"2\"} 0\n";
  for (const char* name :
       {"nv_inference_request_success", "nv_inference_count", "nv_inference_exec_count",
        "nv_inference_pending_request_count", "nv_inference_request_duration_us",
        "nv_inference_queue_duration_us", "nv_inference_compute_input_duration_us",
        "nv_inference_compute_infer_duration_us", "nv_inference_compute_output_duration_us"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name) + labels));
  }
  for (const char* reason : {"REJECTED", "CANCELED", "BACKEND", "OTHER"}) {
    EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"m\",reason=\"" +
                                std::string(reason) + "\",version=\"2\"} 0\n"));
  }
}

TEST_F(StatisticsTest, MicrosecondsLoseNothingToRounding) {
  InferenceResult result = Photo();
  result.stages.forward_end = result.stages.forward_start + nanoseconds(1'600);
  for (int i = 0; i < 5; ++i) recorder_.RequestEnded(result, 1, now_);
  const std::string text = metrics_.Render();
  EXPECT_THAT(text,
              HasSubstr("nv_inference_compute_infer_duration_us{model=\"m\",version=\"2\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_compute_infer_duration_histogram_us_bucket{model=\"m\","
                              "version=\"2\",le=\"100\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_duration_histogram_us_bucket{model=\"m\","
                              "version=\"2\",le=\"50000\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_duration_histogram_us_bucket{model=\"m\","
                              "version=\"2\",le=\"100000\"} 5\n"));
}

TEST_F(StatisticsTest, CountersGoOnOverAReloadAndTheSnapshotBeginsAnew) {
  recorder_.RequestEnded(Photo(), 1, now_);
  ModelStatisticsRecorder reloaded(metrics_, "m", "2", 4);
  EXPECT_EQ(reloaded.Snapshot().success.count, 0U);
  reloaded.RequestEnded(Photo(), 1, now_);
  EXPECT_EQ(reloaded.Snapshot().success.count, 1U);
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("nv_inference_request_success{model=\"m\",version=\"2\"} 2\n"));
}

class LaneStatisticsTest : public LaneTest {
 protected:
  LaneStatisticsTest() {
    model_->statistics = std::make_shared<ModelStatisticsRecorder>(metrics_, "m", "1", 16);
  }
  std::int64_t Pending() {
    return metrics_
        .GetGauge("nv_inference_pending_request_count", "", {{"model", "m"}, {"version", "1"}})
        .value();
  }

  MetricsRegistry metrics_;
};

TEST_F(LaneStatisticsTest, ALaneTellsItsBatches) {
  RunBatch(Photo(1), Photo(2), Photo(3, Cancelled()));
  const ModelStatistics seen = model_->statistics->Snapshot();
  EXPECT_EQ(seen.execution_count, 1U);
  ASSERT_EQ(seen.batches.size(), 1U);
  EXPECT_EQ(seen.batches[0].batch_size, 2U) << "the dead one was not run";
  EXPECT_EQ(seen.batches[0].compute_input.ns, 2'000'000U);
  EXPECT_EQ(seen.batches[0].compute_infer.ns, 3'000'000U);
  EXPECT_EQ(seen.batches[0].compute_output.count, 1U);
}

TEST_F(LaneStatisticsTest, ARequestIsPendingUntilItsFirstBatchStarts) {
  Gate gate;
  network_->collecting = &gate;
  const ScheduledRequestPtr request = Photos({1, 2});
  auto refused = this->Photo(1);
  EXPECT_EQ(Pending(), 2);
  auto report = StartBatch(BatchOfParts({{request, 0, 1}}));
  gate.WaitForArrivals(1);
  EXPECT_EQ(Pending(), 1) << "the one that runs is not pending";
  gate.Open();
  report.get();
  StartBatch(BatchOfParts({{request, 1, 1}})).get();
  EXPECT_EQ(Pending(), 1) << "its second batch is not counted again";
  refused->RefuseAll(Status::Unavailable("removed"));
  EXPECT_EQ(Pending(), 0);
}

using ServerStatisticsTest = ModelServerTest;

TEST_F(ServerStatisticsTest, AreOfTheVersionThatServesSinceItWasLoaded) {
  AddModel("m");
  Serve();
  EXPECT_EQ(server_->Statistics("nobody", "").status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(server_->Statistics("m", "").ok());
  EXPECT_EQ(server_->Statistics("m", "")->version, "1");
  Infer(Request("m"));
  auto taken = scheduler_.Take(1);
  EXPECT_THAT(Metrics(), HasSubstr("pending_request_count{model=\"m\",version=\"1\"} 1\n"));
  clock_.Advance(milliseconds(9));
  Answer(taken[0]);
  Infer(Request("m", "no image"));
  (void)answers_.WaitFor(2);
  const ModelStatistics seen = *server_->Statistics("m", "");
  EXPECT_EQ(seen.success.count, 1U);
  EXPECT_EQ(seen.success.ns, 9'000'000U);
  EXPECT_EQ(seen.inference_count, 1U);
  EXPECT_EQ(seen.fail.count, 1U);
  EXPECT_THAT(Metrics(), HasSubstr("pending_request_count{model=\"m\",version=\"1\"} 0\n"));
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  EXPECT_EQ(server_->Statistics("m", "").status().code(), StatusCode::kUnavailable);
}

TEST_F(ServerStatisticsTest, WhatIsRefusedAtTheDoorIsCounted) {
  AddModel("m");
  AddModel("none", "");
  Serve();
  EXPECT_TRUE(Admit("m").ok()) << "a question that is not refused counts nothing";
  EXPECT_EQ(server_->Statistics("m", "")->fail.count, 0U);
  EXPECT_EQ(Admit("m", Deadline::At(clock_.Now())).code(), StatusCode::kDeadlineExceeded);
  scheduler_.set_admit(Status::Overloaded("full", milliseconds(1)));
  EXPECT_EQ(Admit("m").code(), StatusCode::kOverloaded);
  EXPECT_EQ(Admit("none").code(), StatusCode::kUnavailable);
  EXPECT_EQ(Admit("nobody").code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->Statistics("m", "")->fail.count, 2U);
  EXPECT_EQ(server_->Statistics("m", "")->fail.ns, 0U);
  const std::string text = Metrics();
  for (const char* line :
       {"nv_inference_request_failure{model=\"m\",reason=\"REJECTED\",version=\"1\"} 2\n",
        "xcloud_inference_total{model=\"m\",outcome=\"ok\"} 0\n",
        "xcloud_inference_total{model=\"m\",outcome=\"deadline_exceeded\"} 1\n",
        "xcloud_inference_total{model=\"m\",outcome=\"overloaded\"} 1\n",
        "xcloud_inference_total{model=\"none\",outcome=\"unavailable\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("nobody")));
}

TEST_F(ServerStatisticsTest, WhatNoModelWasAskedIsNobodysFailure) {
  AddModel("m");
  Serve();
  InferenceRequest other = Request("m");
  other.version = "7";
  Infer(std::move(other));
  Infer(TensorRequest("m", {"foo", DataType::kBytes, {1}, "x"}));
  (void)answers_.WaitFor(2);
  EXPECT_EQ(server_->Statistics("m", "")->fail.count, 1U) << "the unknown version is not counted";
  EXPECT_THAT(Metrics(), HasSubstr("reason=\"OTHER\",version=\"1\"} 1\n"));
  EXPECT_THAT(Metrics(), Not(HasSubstr("version=\"7\"")));
}

}  // namespace
}  // namespace xcloud
