// Requests of many items through the real service, scheduler and lanes: split over batches, run on
// two lanes at once, joined again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "models/cpu_device.h"
#include "models/lane.h"
#include "models/model_server.h"
#include "scheduler/dynamic_batcher.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

std::string Png() {
  std::vector<std::uint8_t> bytes;
  cv::imencode(".png", cv::Mat(40, 50, CV_8UC3, cv::Scalar(10, 20, 30)), bytes);
  return {bytes.begin(), bytes.end()};
}

class ItemsTest : public ::testing::Test {
 protected:
  ItemsTest() {
    root_.Write("photos/model.toml",
                "[model]\nbackend = 'null'\n[preprocess]\nresize = 8\ncrop = 8\n"
                "[batching]\nmax_batch = 4\nqueue_capacity = 40\n");
    root_.Write("photos/labels.txt", "a\nb\nc\n");
    root_.Write("echo/model.toml",
                "[model]\nbackend = 'echo'\n[batching]\nmax_batch = 4\nqueue_capacity = 40\n"
                "[[input]]\nname = 'IN'\ndatatype = 'INT16'\ndims = [-1]\noutput = 'OUT'\n");
    devices_.push_back(MakeCpuDevice({"cpu0", 2, 1, {}}));
    std::vector<BatchExecutor*> executors;
    for (std::size_t i = 0; i < 2; ++i) {
      lanes_.push_back(std::make_unique<Lane>(*devices_[0], i, i, clock_));
      executors.push_back(lanes_.back().get());
    }
    scheduler_ = std::make_unique<DynamicBatcher>(clock_, metrics_, executors, nullptr);
    server_ = *ModelServer::Create({root_.path().string()}, DecodeConfig{}, devices_, *scheduler_,
                                   clock_, metrics_);
    server_->StartLoading();
    server_->WaitLoaded();
  }
  ~ItemsTest() override {
    server_->Stop();
    scheduler_->Stop();
    lanes_.clear();
  }

  InferenceRequest Ask(const std::string& service, Tensor input) const {
    InferenceRequest request;
    request.service = service;
    request.answer = AnswerKind::kTensors;
    request.inputs.push_back(std::move(input));
    request.first_byte = request.received = clock_.Now();
    return request;
  }
  InferenceRequest Photos(std::size_t count) const {
    std::string data;
    for (std::size_t i = 0; i < count; ++i) AppendBytesElement(data, Png());
    return Ask("photos", {"image", DataType::kBytes, {static_cast<std::int64_t>(count), 1}, data});
  }
  std::vector<InferenceResult> InferAll(std::vector<InferenceRequest> requests) {
    Mutex mutex;
    CondVar changed;
    std::vector<InferenceResult> results(requests.size());
    std::size_t left = requests.size();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      server_->Infer(std::move(requests[i]), [&, i](InferenceResult result) {
        MutexLock lock(mutex);
        results[i] = std::move(result);
        if (--left == 0) changed.NotifyAll();
      });
    }
    MutexLock lock(mutex);
    while (left > 0) changed.Wait(mutex);
    return results;
  }

  const TempFolder root_;
  SystemClock clock_;
  MetricsRegistry metrics_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<DynamicBatcher> scheduler_;
  std::unique_ptr<ModelServer> server_;
};

TEST_F(ItemsTest, TwentyPhotosOfOneRequestLeaveInBatchesOfFour) {
  std::vector<InferenceRequest> requests;
  requests.push_back(Photos(20));
  const InferenceResult result = InferAll(std::move(requests))[0];
  ASSERT_TRUE(result.status.ok()) << result.status.ToString();
  ASSERT_EQ(result.outputs.size(), 1U);
  EXPECT_EQ(result.outputs[0].shape, (std::vector<std::int64_t>{20, 3}));
  std::vector<float> rows(60);
  ASSERT_EQ(result.outputs[0].data.size(), rows.size() * sizeof(float));
  std::memcpy(rows.data(), result.outputs[0].data.data(), rows.size() * sizeof(float));
  for (std::size_t i = 0; i < 60; i += 3) {
    EXPECT_EQ(rows[i], rows[0]) << "the null backend answers every row alike";
    EXPECT_NEAR(rows[i] + rows[i + 1] + rows[i + 2], 1.0F, 1e-5);
  }
  const ModelStatistics seen = *server_->Statistics("photos", "");
  EXPECT_EQ(seen.success.count, 1U);
  EXPECT_EQ(seen.inference_count, 20U);
  EXPECT_GE(seen.execution_count, 5U);
  std::size_t items = 0;
  for (const BatchStatistics& batch : seen.batches) {
    EXPECT_LE(batch.batch_size, 4U);
    items += batch.batch_size * batch.compute_infer.count;
  }
  EXPECT_EQ(items, 20U);
}

TEST_F(ItemsTest, MoreItemsThanTheQueueHoldsAreTheCallersMistake) {
  std::vector<InferenceRequest> requests;
  requests.push_back(Photos(41));
  requests.push_back(Ask("echo", {"IN", DataType::kInt16, {41, 1}, std::string(82, 'x')}));
  for (const InferenceResult& result : InferAll(std::move(requests))) {
    EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status.message(), ::testing::HasSubstr("1 to 40"));
  }
}

TEST_F(ItemsTest, RequestsOfManySizesEachGetTheirOwnBack) {
  // 34 items at once: the queue holds them all.
  for (int round = 0; round < 20; ++round) {
    std::vector<InferenceRequest> requests;
    std::vector<std::string> sent;
    for (std::size_t items : {1U, 9U, 4U, 13U}) {
      sent.emplace_back(items * 4, static_cast<char>('a' + round + static_cast<int>(items)));
      requests.push_back(Ask(
          "echo", {"IN", DataType::kInt16, {static_cast<std::int64_t>(items), 2}, sent.back()}));
    }
    requests.push_back(Photos(7));
    const std::vector<InferenceResult> results = InferAll(std::move(requests));
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_TRUE(results[i].status.ok()) << results[i].status.ToString();
      EXPECT_EQ(results[i].outputs.at(0).name, "OUT");
      EXPECT_EQ(results[i].outputs.at(0).data, sent[i]);
    }
    EXPECT_TRUE(results.back().status.ok()) << results.back().status.ToString();
  }
}

}  // namespace
}  // namespace xcloud
