// ModelServerTest: a ModelServer over a repository in a temporary folder, with one puppet device,
// a puppet scheduler and a clock that stands still. Tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/model_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"
#include "tests/support/puppet_scheduler.h"
#include "tests/support/temp_folder.h"

namespace xcloud {

inline std::string Png(int width = 300, int height = 260) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(".png", cv::Mat(height, width, CV_8UC3, cv::Scalar(10, 20, 30)), bytes);
  return {bytes.begin(), bytes.end()};
}

// Collects what the callbacks say; waits for them.
class Answers {
 public:
  InferenceCallback Callback() {
    return [this](InferenceResult result) {
      MutexLock lock(mutex_);
      results_.push_back(std::move(result));
      changed_.NotifyAll();
    };
  }
  std::vector<InferenceResult> WaitFor(std::size_t count) {
    MutexLock lock(mutex_);
    while (results_.size() < count) changed_.Wait(mutex_);
    return results_;
  }
  std::size_t count() const {
    MutexLock lock(mutex_);
    return results_.size();
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<InferenceResult> results_ XC_GUARDED_BY(mutex_);
};

class ModelServerTest : public ::testing::Test {
 protected:
  ModelServerTest() {
    auto device = std::make_unique<PuppetDevice>("cpu0", 1);
    puppet_ = device.get();
    devices_.push_back(std::move(device));
    repository_.control = "explicit";  // no look at the folder by itself
    decode_.threads = 1;
    decode_.queue_capacity = 2;
  }
  ~ModelServerTest() override { gate_.Open(); }

  void AddModel(const std::string& name, const std::string& toml = "[model]\nbackend = 'null'\n") {
    root_.Write(name + "/model.toml", toml);
    root_.Write(name + "/labels.txt", "a\nb\nc\n");
  }
  void Create() {
    repository_.path = root_.path().string();
    auto server = ModelServer::Create(repository_, decode_, devices_, scheduler_, clock_, metrics_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = *std::move(server);
  }
  void Serve() {
    Create();
    server_->StartLoading();
    server_->WaitLoaded();
  }
  InferenceRequest Request(const std::string& service, std::string image = Png()) const {
    InferenceRequest request;
    request.service = service;
    request.image = std::move(image);
    request.first_byte = request.received = clock_.Now();
    return request;
  }
  // Encoded photos in one BYTES tensor.
  InferenceRequest PhotosRequest(const std::string& service,
                                 std::initializer_list<std::string> photos) const {
    std::string data;
    for (const std::string& photo : photos) AppendBytesElement(data, photo);
    const auto count = static_cast<std::int64_t>(photos.size());
    return TensorRequest(service, {"image", DataType::kBytes, {count}, std::move(data)});
  }
  InferenceRequest TensorRequest(const std::string& service, Tensor input) const {
    InferenceRequest request = Request(service, "");
    request.answer = AnswerKind::kTensors;
    request.inputs.push_back(std::move(input));
    return request;
  }
  void Infer(InferenceRequest request) { server_->Infer(std::move(request), answers_.Callback()); }
  // The one answer to a request that is refused.
  Status Refusal(InferenceRequest request) {
    Infer(std::move(request));
    const auto results = answers_.WaitFor(1);
    server_->Stop();  // a second answer would have come by now
    EXPECT_EQ(answers_.count(), 1U);
    return results[0].status;
  }
  // Serves "m", and keeps its one decode thread busy in the scheduler until gate_ opens.
  void ServeWithABusyDecodeThread() {
    AddModel("m");
    scheduler_.before_submit = [this] { gate_.Pass(); };
    Serve();
    Infer(Request("m"));
    gate_.WaitForArrivals(1);
  }
  // What a lane does with a request.
  static void Answer(const ScheduledRequestPtr& request) {
    static_cast<ItemRequest&>(*request).Answer(0, 1, std::vector<float>{1, 2, 3},
                                               {1, "cpu0/0", {}, {}, {}});
  }
  Status Admit(const std::string& service, Deadline deadline = {}) const {
    return server_->Admit(service, "", Priority::kNormal, deadline);
  }
  std::string Metrics() const { return metrics_.Render(); }

  Gate gate_;
  const TempFolder root_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  RepositoryConfig repository_;
  DecodeConfig decode_;
  PuppetDevice* puppet_ = nullptr;
  std::vector<std::unique_ptr<Device>> devices_;
  PuppetScheduler scheduler_;
  Answers answers_;
  std::unique_ptr<ModelServer> server_;
};

}  // namespace xcloud
