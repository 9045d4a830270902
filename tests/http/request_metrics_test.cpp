#include "http/request_metrics.h"

#include <gtest/gtest.h>

#include <string_view>

#include "http/answer_json.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;

// 1 ms to receive, 2 until it was queued, 3 in the queue, 4 of staging, 5 of infer.
StageTimes OfTensors() {
  StageTimes at;
  at.first_byte = TimePoint{} + std::chrono::hours(1);
  at.received = at.first_byte + milliseconds(1);
  at.enqueued = at.received + milliseconds(2);
  at.batch_closed = at.enqueued + milliseconds(3);
  at.forward_start = at.batch_closed + milliseconds(4);
  at.forward_end = at.forward_start + milliseconds(5);
  return at;
}

// The same of a photo: decoded from 1 ms after it was received until 1 ms before it was queued.
StageTimes OfPhoto() {
  StageTimes at = OfTensors();
  at.enqueued += milliseconds(10);
  for (TimePoint* later : {&at.batch_closed, &at.forward_start, &at.forward_end}) {
    *later += milliseconds(10);
  }
  at.decode_start = at.received + milliseconds(1);
  at.decode_end = at.enqueued - milliseconds(1);
  return at;
}

class StagesTest : public ::testing::Test {
 protected:
  // What the stage counted, in milliseconds; all stages that have been asked for add up in total_.
  double Milliseconds(std::string_view stage) {
    const Labels labels = {{"model", "m"}, {"stage", std::string(stage)}};
    const double ms =
        registry_.GetHistogram("xcloud_stage_seconds", "", LatencyBoundsSeconds(), labels).sum() *
        1000;
    total_ += ms;
    return ms;
  }

  MetricsRegistry registry_;
  RequestMetrics metrics_{registry_};
  double total_ = 0;
};

TEST_F(StagesTest, TensorsThatAreNotDecodedWaitInTheQueueAllTheSame) {
  metrics_.ObserveStages("m", OfTensors(), OfTensors().forward_end + milliseconds(6));
  EXPECT_NEAR(Milliseconds("receive"), 1, 1e-9);
  EXPECT_NEAR(Milliseconds("decode_wait"), 2, 1e-9);
  EXPECT_NEAR(Milliseconds("decode"), 0, 1e-9);
  EXPECT_NEAR(Milliseconds("queue"), 3, 1e-9);
  EXPECT_NEAR(Milliseconds("staging"), 4, 1e-9);
  EXPECT_NEAR(Milliseconds("infer"), 5, 1e-9);
  EXPECT_NEAR(Milliseconds("reply"), 6, 1e-9);
  EXPECT_NEAR(total_, 21, 1e-9) << "the whole";
}

TEST_F(StagesTest, APhotoIsQueuedFromTheEndOfItsDecoding) {
  metrics_.ObserveStages("m", OfPhoto(), OfPhoto().forward_end);
  EXPECT_NEAR(Milliseconds("receive"), 1, 1e-9);
  EXPECT_NEAR(Milliseconds("decode_wait"), 1, 1e-9);
  EXPECT_NEAR(Milliseconds("decode"), 10, 1e-9);
  EXPECT_NEAR(Milliseconds("queue"), 4, 1e-9);
  for (const char* stage : {"staging", "infer", "reply"}) Milliseconds(stage);
  EXPECT_NEAR(total_, 25, 1e-9) << "the whole";
}

TEST_F(StagesTest, ServerTimingTellsTheQueueOfTensors) {
  EXPECT_NE(ServerTiming(OfTensors(), {}).find("queue;dur=3"), std::string::npos)
      << ServerTiming(OfTensors(), {});
}

TEST_F(StagesTest, WhatWasNotReachedIsZero) {
  StageTimes refused = OfTensors();
  refused.batch_closed = refused.forward_start = refused.forward_end = {};
  EXPECT_EQ(QueueTime(refused), Duration{});
  EXPECT_EQ(QueueTime(StageTimes{}), Duration{});
}

}  // namespace
}  // namespace xcloud
