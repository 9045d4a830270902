// What the lane's tests share: a lane on a puppet network, batches of one-pixel photos, and the
// record of what happened in which order. Callbacks write it on the lane's threads; tests read it
// after the report of the batch in question.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/item_request.h"
#include "models/lane.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"
#include "tests/support/puppet_network.h"

namespace xcloud {

class LaneTest : public ::testing::Test {
 protected:
  explicit LaneTest(std::size_t depth = 1) {
    model_->definition.name = "m";
    model_->definition.preprocess.crop_width = 1;
    model_->definition.preprocess.crop_height = 1;
    model_->definition.labels = {"a", "b", "c", "d"};
    model_->definition.batching.max_batch = 16;
    model_->output_size = 4;
    model_->networks.push_back(nullptr);  // another lane's
    model_->networks.push_back(std::make_unique<PuppetNetwork>(clock_));
    network_ = static_cast<PuppetNetwork*>(model_->networks[1].get());
    device_.depth_of_lanes = depth;
    device_.hang_after_of_lanes = std::chrono::seconds(7);
    lane_ = std::make_unique<Lane>(device_, 2, 1, clock_);
  }
  ~LaneTest() override { lane_.reset(); }  // its threads use what is below

  struct Asked {
    CancelTokenPtr cancel;
    Deadline deadline;
  };
  ScheduledRequestPtr Photo(std::uint8_t first_byte, Asked asked = {}) {
    InferenceRequest request;
    request.cancel = std::move(asked.cancel);
    request.deadline = asked.deadline;
    auto photo =
        std::make_unique<ItemRequest>(model_, std::move(request), CheckedInputs{}, Collect());
    photo->pixels() = {first_byte, 0, 0};
    return photo;
  }
  // A request for the probabilities of several photos.
  ScheduledRequestPtr Photos(const std::vector<std::uint8_t>& first_bytes, Asked asked = {}) {
    InferenceRequest request;
    request.answer = AnswerKind::kTensors;
    request.cancel = std::move(asked.cancel);
    request.deadline = asked.deadline;
    auto photos = std::make_unique<ItemRequest>(
        model_, std::move(request), CheckedInputs{InputForm::kPhotos, first_bytes.size()},
        Collect());
    for (std::size_t i = 0; i < first_bytes.size(); ++i) photos->pixels(i) = {first_bytes[i], 0, 0};
    return photos;
  }
  InferenceCallback Collect() {
    return [this](InferenceResult result) {
      Note("answer");
      MutexLock lock(mutex_);
      results_.push_back(std::move(result));
    };
  }
  Asked Cancelled() {
    auto token = std::make_shared<CancelToken>();
    token->Cancel();
    return {std::move(token), {}};
  }
  Asked Expired() { return {nullptr, Deadline::At(clock_.Now())}; }

  template <class... Photos>
  Batch BatchOf(Photos... photos) {
    std::vector<BatchPart> parts;
    (parts.push_back({std::move(photos), 0, 1}), ...);
    return BatchOfParts(std::move(parts));
  }
  Batch BatchOfParts(std::vector<BatchPart> parts) {
    Batch batch;
    batch.parts = std::move(parts);
    for (const BatchPart& part : batch.parts) batch.items += part.items;
    batch.run_items = batch.items;
    batch.claim = std::make_shared<BatchClaim>();
    batch.closed_at = closed_at_;
    return batch;
  }
  std::future<BatchReport> StartBatch(Batch batch, const std::string& name = "done") {
    auto reported = std::make_shared<std::promise<BatchReport>>();
    std::future<BatchReport> report = reported->get_future();
    lane_->Start(std::move(batch), [this, reported, name](BatchReport done) {
      Note(name);
      reported->set_value(std::move(done));
    });
    return report;
  }
  template <class... Photos>
  BatchReport RunBatch(Photos... photos) {
    return StartBatch(BatchOf(std::move(photos)...)).get();
  }
  BatchReport RunProbe() {
    std::promise<BatchReport> reported;
    lane_->Probe([&](BatchReport report) { reported.set_value(std::move(report)); });
    return reported.get_future().get();
  }

  void Note(const std::string& event) {
    MutexLock lock(mutex_);
    events_.push_back(event);
  }
  std::vector<std::string> events() {
    MutexLock lock(mutex_);
    return events_;
  }
  std::vector<InferenceResult> results() {
    MutexLock lock(mutex_);
    return results_;
  }

  FakeClock clock_;
  PuppetDevice device_{"dev", 3};
  std::shared_ptr<LoadedModel> model_ = std::make_shared<LoadedModel>();
  PuppetNetwork* network_ = nullptr;
  const TimePoint closed_at_ = clock_.Now() - std::chrono::milliseconds(1);
  Mutex mutex_;
  std::vector<std::string> events_ XC_GUARDED_BY(mutex_);
  std::vector<InferenceResult> results_ XC_GUARDED_BY(mutex_);
  std::unique_ptr<Lane> lane_;
};

}  // namespace xcloud
