#include "bench/server_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/metrics.h"

namespace xcloud {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class ServerViewTest : public ::testing::Test {
 protected:
  void Stage(const char* stage, double seconds) {
    registry_
        .GetHistogram("xcloud_stage_seconds", "stages", LatencyBoundsSeconds(),
                      {{"model", "m"}, {"stage", stage}})
        .Observe(seconds);
  }
  void Whole(double seconds) {
    registry_
        .GetHistogram("xcloud_request_seconds", "requests", LatencyBoundsSeconds(),
                      {{"model", "m"}})
        .Observe(seconds);
  }
  void BatchOf(double items) {
    registry_.GetHistogram("xcloud_batch_size", "items", BatchSizeBounds(), {{"model", "m"}})
        .Observe(items);
  }

  MetricsRegistry registry_;
};

TEST_F(ServerViewTest, TellsTheShareOfARequestOutsideDecodeAndForward) {
  Stage("decode", 9);  // before the run: must not count
  const std::string before = registry_.Render();
  for (int i = 0; i < 2; ++i) {
    Stage("decode", 0.002);
    Stage("queue", 0.003);
    Stage("infer", 0.004);
    Whole(0.010);
  }
  const ServerView view = CompareScrapes(before, registry_.Render(), "m");
  ASSERT_EQ(view.stages.size(), 3U);
  EXPECT_EQ(view.stages[0].name, "decode");
  EXPECT_NEAR(view.stages[0].mean_ms, 2, 1e-9);
  EXPECT_NEAR(view.stages[1].share, 0.3, 1e-9);
  EXPECT_NEAR(view.request_mean_ms.value(), 10, 1e-9);
  // 1 ms of the 10 is in no stage and belongs outside too.
  EXPECT_NEAR(view.outside_decode_infer.value(), 0.4, 1e-9);
}

TEST_F(ServerViewTest, FailedRequestsDoNotBlurTheStagesOfTheOthers) {
  const std::string before = registry_.Render();
  Stage("decode", 0.002);
  Stage("queue", 0.004);
  Stage("infer", 0.004);
  Whole(0.010);
  Whole(5);  // one that timed out: no stages
  const ServerView view = CompareScrapes(before, registry_.Render(), "m");
  EXPECT_NEAR(view.outside_decode_infer.value(), 0.4, 1e-9);
}

TEST_F(ServerViewTest, TakesTheStagesAsTheWholeWithoutARequestTime) {
  const std::string before = registry_.Render();
  Stage("decode", 0.002);
  Stage("infer", 0.004);
  Stage("reply", 0.002);
  const ServerView view = CompareScrapes(before, registry_.Render(), "m");
  EXPECT_FALSE(view.request_mean_ms.has_value());
  EXPECT_NEAR(view.outside_decode_infer.value(), 0.25, 1e-9);
}

TEST_F(ServerViewTest, TellsTheBatchesOfTheRunOnly) {
  BatchOf(8);
  const std::string before = registry_.Render();
  BatchOf(1);
  BatchOf(4);
  const ServerView view = CompareScrapes(before, registry_.Render(), "m");
  ASSERT_TRUE(view.batch_size.has_value());
  EXPECT_EQ(view.batch_size->count, 2);
  EXPECT_EQ(view.batch_size->mean(), 2.5);
  EXPECT_FALSE(CompareScrapes(before, registry_.Render(), "other").batch_size.has_value());
}

TEST_F(ServerViewTest, SaysWhatTheServerDoesNotOffer) {
  const std::string text = "something_else 1\n";
  EXPECT_THAT(CompareScrapes(text, text, "m").notes,
              Contains("xcloud_batch_size: not offered by this server"));
  const Result<std::string> absent = Status::NotFound("the server answers 404 to /metrics");
  EXPECT_THAT(CompareScrapes(absent, absent, "m").notes,
              Contains("/metrics: not offered by this server"));
  const Result<std::string> html = std::string("<html>");
  EXPECT_THAT(CompareScrapes(html, html, "m").notes, Contains(HasSubstr("is not a sample")));
}

TEST_F(ServerViewTest, SaysThatTheServerRestarted) {
  BatchOf(1);
  BatchOf(1);
  const std::string before = registry_.Render();
  MetricsRegistry fresh;
  fresh.GetHistogram("xcloud_batch_size", "items", BatchSizeBounds(), {{"model", "m"}}).Observe(1);
  const ServerView view = CompareScrapes(before, fresh.Render(), "m");
  EXPECT_FALSE(view.batch_size.has_value());
  EXPECT_THAT(view.notes, Contains(HasSubstr("restarted")));
}

}  // namespace
}  // namespace xcloud
