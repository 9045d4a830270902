#include "models/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "models/photo_request.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Staging takes 2 ms, the forward 3 ms. An item's best class is its first byte. A first byte of
// kBad fails the batch; the gate, when there is one, holds it.
class TestNetwork final : public Network {
 public:
  static constexpr std::uint8_t kBad = 99;
  explicit TestNetwork(FakeClock& clock) : clock_(clock) {}

  std::size_t output_size() const override { return 4; }
  Status Run(std::span<const std::uint8_t* const> items, float* scores,
             TimePoint* forward_start) override {
    thread = std::this_thread::get_id();
    batches.emplace_back();
    if (gate != nullptr) gate->Pass();
    clock_.Advance(milliseconds(2));
    *forward_start = clock_.Now();
    clock_.Advance(milliseconds(3));
    std::fill_n(scores, items.size() * 4, 0.0F);
    for (std::size_t i = 0; i < items.size(); ++i) {
      batches.back().push_back(items[i][0]);
      if (items[i][0] == kBad) return Status::Internal("model 'm' failed on this batch");
      scores[i * 4 + items[i][0]] = 9.0F;
    }
    return Status::Ok();
  }

  std::vector<std::vector<int>> batches;  // first bytes, batch by batch
  std::thread::id thread;
  Gate* gate = nullptr;

 private:
  FakeClock& clock_;
};

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() {
    model_->definition.name = "m";
    model_->definition.preprocess.crop_width = 1;
    model_->definition.preprocess.crop_height = 1;
    model_->definition.labels = {"a", "b", "c", "d"};
    model_->definition.batching.max_batch = 4;
    model_->output_size = 4;
    model_->networks.push_back(nullptr);  // another lane's
    model_->networks.push_back(std::make_unique<TestNetwork>(clock_));
    network_ = static_cast<TestNetwork*>(model_->networks[1].get());
    lane_ = std::make_unique<Lane>(device_, 2, 1, clock_);
  }

  ScheduledRequestPtr Photo(std::uint8_t first_byte, CancelTokenPtr cancel = nullptr) {
    InferenceRequest request;
    request.cancel = std::move(cancel);
    auto photo =
        std::make_unique<PhotoRequest>(model_, std::move(request), [this](InferenceResult result) {
          events_.push_back("answer");
          results_.push_back(std::move(result));
        });
    photo->pixels() = {first_byte, 0, 0};
    return photo;
  }

  // Starts a batch of these photos; `reported_` gets its report.
  template <class... Photos>
  void Start(Photos... photos) {
    Batch batch;
    (batch.parts.push_back({std::move(photos), 0, 1}), ...);
    batch.items = batch.parts.size();
    batch.run_items = batch.items;
    batch.claim = std::make_shared<BatchClaim>();
    batch.closed_at = closed_at_;
    reported_ = {};
    lane_->Start(std::move(batch), [this](BatchReport report) {
      events_.push_back("done");
      reported_.set_value(std::move(report));
    });
  }
  BatchReport Report() { return reported_.get_future().get(); }

  static CancelTokenPtr Cancelled() {
    auto token = std::make_shared<CancelToken>();
    token->Cancel();
    return token;
  }

  FakeClock clock_;
  PuppetDevice device_{"dev", 3};
  std::shared_ptr<LoadedModel> model_ = std::make_shared<LoadedModel>();
  TestNetwork* network_ = nullptr;
  const TimePoint closed_at_ = clock_.Now() - milliseconds(1);
  // Written on the lane's thread before the report, read after it.
  std::vector<std::string> events_;
  std::vector<InferenceResult> results_;
  std::promise<BatchReport> reported_;
  std::unique_ptr<Lane> lane_;
};

TEST_F(LaneTest, IsNamedAfterItsDevice) {
  EXPECT_EQ(lane_->info().name, "dev/2");
  EXPECT_EQ(lane_->info().device, "dev");
}

TEST_F(LaneTest, EachPhotoGetsItsOwnScoresInOrder) {
  Start(Photo(2), Photo(0), Photo(3));
  EXPECT_TRUE(Report().status.ok());
  ASSERT_EQ(results_.size(), 3U);
  const std::vector<std::string> best = {"c", "a", "d"};
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(results_[i].status.ok()) << results_[i].status.ToString();
    EXPECT_EQ(results_[i].predictions.at(0).label, best[i]);
    EXPECT_EQ(results_[i].batch_items, 3U);
    EXPECT_EQ(results_[i].lane, "dev/2");
  }
}

TEST_F(LaneTest, TimesStagingAndForwardApartAndReportsTheirSum) {
  const TimePoint start = clock_.Now();
  Start(Photo(1));
  EXPECT_EQ(Report().elapsed, milliseconds(5));
  const StageTimes& stages = results_.at(0).stages;
  EXPECT_EQ(stages.batch_closed, closed_at_);
  EXPECT_EQ(stages.forward_start, start + milliseconds(2));
  EXPECT_EQ(stages.forward_end, start + milliseconds(5));
}

TEST_F(LaneTest, ReportsAfterEveryAnswer) {
  Start(Photo(0), Photo(1));
  Report();
  EXPECT_THAT(events_, ElementsAre("answer", "answer", "done"));
}

TEST_F(LaneTest, AFailingBatchAnswersEveryoneInternalAndTheNextBatchRuns) {
  Start(Photo(0), Photo(TestNetwork::kBad), Photo(1));
  EXPECT_EQ(Report().status.code(), StatusCode::kInternal);
  ASSERT_EQ(results_.size(), 3U);
  for (const InferenceResult& result : results_) {
    EXPECT_EQ(result.status.code(), StatusCode::kInternal);
    EXPECT_THAT(result.predictions, IsEmpty());
  }
  Start(Photo(3));
  EXPECT_TRUE(Report().status.ok());
  EXPECT_EQ(results_.at(3).predictions.at(0).label, "d");
}

TEST_F(LaneTest, CancelledPhotosAreRefusedBeforeTheForward) {
  Start(Photo(0, Cancelled()), Photo(1), Photo(2, Cancelled()), Photo(3));
  EXPECT_TRUE(Report().status.ok());
  EXPECT_THAT(network_->batches, ElementsAre(ElementsAre(1, 3)));
  ASSERT_EQ(results_.size(), 4U);
  EXPECT_EQ(results_[0].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(results_[1].status.code(), StatusCode::kCancelled);
  EXPECT_EQ(results_[2].predictions.at(0).label, "b");
  EXPECT_EQ(results_[3].predictions.at(0).label, "d");
  EXPECT_EQ(results_[3].batch_items, 2U);
}

TEST_F(LaneTest, ABatchThatLostEveryPhotoRunsNothing) {
  Start(Photo(0, Cancelled()));
  const BatchReport report = Report();
  EXPECT_EQ(report.status.code(), StatusCode::kCancelled);
  EXPECT_EQ(report.elapsed, Duration::zero());
  EXPECT_THAT(network_->batches, IsEmpty());
  EXPECT_EQ(results_.at(0).status.code(), StatusCode::kCancelled);
}

TEST_F(LaneTest, RunsOnItsOwnPreparedThread) {
  Start(Photo(0));
  Report();
  EXPECT_NE(network_->thread, std::this_thread::get_id());
  EXPECT_EQ(device_.unprepared_runs(), 0);
  const std::thread::id first = network_->thread;
  Start(Photo(0));
  Report();
  EXPECT_EQ(network_->thread, first);
}

TEST_F(LaneTest, StartDoesNotWaitForTheBatch) {
  Gate gate;
  network_->gate = &gate;
  Start(Photo(0));  // would never return if it waited
  gate.WaitForArrivals(1);
  gate.Open();
  EXPECT_TRUE(Report().status.ok());
}

TEST_F(LaneTest, TheDestructorFinishesTheBatchInFlight) {
  Gate gate;
  network_->gate = &gate;
  Start(Photo(1));
  gate.WaitForArrivals(1);
  auto gone = std::async(std::launch::async, [this] { lane_.reset(); });
  gate.Open();
  gone.get();
  EXPECT_THAT(events_, ElementsAre("answer", "done"));
  EXPECT_TRUE(results_.at(0).status.ok());
}

TEST_F(LaneTest, TheBatchIsReleasedBeforeTheReport) {
  Batch batch;
  batch.parts.push_back({Photo(0), 0, 1});
  std::promise<long> holders;
  lane_->Start(std::move(batch), [&](BatchReport) { holders.set_value(model_.use_count()); });
  EXPECT_EQ(holders.get_future().get(), 1);
}

using LaneDeathTest = LaneTest;

TEST_F(LaneDeathTest, PixelsOfTheWrongSizeAreABrokenInvariant) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto photo = Photo(0);
        static_cast<PhotoRequest&>(*photo).pixels().push_back(0);
        Start(std::move(photo));
        Report();
      },
      "broken invariant.*PixelBytes");
}

}  // namespace
}  // namespace xcloud
