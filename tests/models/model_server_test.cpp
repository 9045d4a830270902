#include "models/model_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"
#include "tests/support/puppet_scheduler.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Png(int width = 300, int height = 260) {
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
    decode_.threads = 1;
    decode_.queue_capacity = 2;
  }
  ~ModelServerTest() override { gate_.Open(); }

  void AddModel(const std::string& name, const std::string& toml = "[model]\nbackend = 'null'\n") {
    root_.Write(name + "/model.toml", toml);
    root_.Write(name + "/labels.txt", "a\nb\nc\n");
  }
  void Create() {
    auto server = ModelServer::Create({root_.path().string()}, decode_, devices_, scheduler_,
                                      clock_, metrics_);
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
  std::string Metrics() const { return metrics_.Render(); }

  Gate gate_;
  const TempFolder root_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  DecodeConfig decode_;
  PuppetDevice* puppet_ = nullptr;
  std::vector<std::unique_ptr<Device>> devices_;
  PuppetScheduler scheduler_;
  Answers answers_;
  std::unique_ptr<ModelServer> server_;
};

TEST_F(ModelServerTest, AFolderIsAServiceWithNothingElseDone) {
  AddModel("dropped", "title = 'Dropped in'\n[model]\nbackend = 'null'\n[latency]\ngoal_ms = 40\n");
  Serve();
  const ServiceInfoPtr info = server_->Find("dropped");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->state, ServiceState::kReady);
  EXPECT_EQ(info->route, "/cv/dropped");
  EXPECT_EQ(info->title, "Dropped in");
  EXPECT_EQ(info->version, "1");
  EXPECT_EQ(info->label_count, 3U);
  EXPECT_EQ(info->latency_goal, std::chrono::milliseconds(40));
  EXPECT_TRUE(info->synthetic);
  EXPECT_EQ(info->reason, "");
  EXPECT_TRUE(server_->Ready().ok());
  EXPECT_TRUE(server_->Admit("dropped", {}).ok());
}

TEST_F(ModelServerTest, OpensAQueueWithLimitsAndAWarmProfile) {
  AddModel("m", "[model]\nbackend = 'null'\n[batching]\nmax_batch = 2\nqueue_capacity = 5\n");
  Serve();
  const auto models = scheduler_.models();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models.begin()->second.name, "m");
  EXPECT_EQ(models.begin()->second.limits.max_batch, 2U);
  EXPECT_EQ(models.begin()->second.limits.queue_capacity, 5U);
  EXPECT_EQ(models.begin()->second.profile.size(), 2U);
  EXPECT_EQ(puppet_->unprepared_runs(), 0);
}

TEST_F(ModelServerTest, HandsADecodedPhotoToTheScheduler) {
  AddModel("m", "[model]\nbackend = 'null'\n[latency]\ngoal_ms = 40\n");
  Serve();
  Infer(Request("m"));
  auto taken = scheduler_.Take(1);
  auto& photo = static_cast<PhotoRequest&>(*taken[0]);
  EXPECT_EQ(photo.pixels().size(), 224U * 224U * 3U);
  EXPECT_EQ(photo.pixels()[0], 30) << "RGB";
  EXPECT_TRUE(photo.request().image.empty()) << "the encoded bytes are not kept";
  EXPECT_EQ(photo.deadline.when(), clock_.Now() + std::chrono::milliseconds(40))
      << "the model's goal, from the first byte";
  clock_.Advance(std::chrono::milliseconds(7));
  photo.Answer(std::vector<float>{1, 2, 3}, 1, "cpu0/0", {}, {}, {});
  const InferenceResult result = answers_.WaitFor(1)[0];
  EXPECT_EQ(result.predictions[0].label, "c");
  EXPECT_EQ(result.stages.answered, clock_.Now());
  EXPECT_EQ(result.stages.enqueued, clock_.Now() - std::chrono::milliseconds(7));
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_inference_total{model=\"m\",outcome=\"ok\"} 1"));
}

TEST_F(ModelServerTest, ACallersDeadlineWinsOverTheGoal) {
  AddModel("m", "[model]\nbackend = 'null'\n[latency]\ngoal_ms = 40\n");
  Serve();
  InferenceRequest request = Request("m");
  request.deadline = Deadline::After(clock_.Now(), std::chrono::milliseconds(900));
  const TimePoint wanted = request.deadline.when();
  Infer(std::move(request));
  EXPECT_EQ(scheduler_.Take(1)[0]->deadline.when(), wanted);
}

TEST_F(ModelServerTest, RefusesAnUnknownService) {
  Serve();
  const Status status = Refusal(Request("nobody"));
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no service named 'nobody'");
  EXPECT_EQ(server_->Find("nobody"), nullptr);
  EXPECT_EQ(server_->Admit("nobody", {}).code(), StatusCode::kNotFound);
}

TEST_F(ModelServerTest, RefusesAnUnknownVersion) {
  AddModel("m");
  Serve();
  InferenceRequest request = Request("m");
  request.version = "2";
  const Status status = Refusal(std::move(request));
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no version '2'; it serves 1"));
}

TEST_F(ModelServerTest, WithoutWeightsSaysSoAndNeverAnswersAScore) {
  AddModel("m", "");
  Serve();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kNoWeights);
  EXPECT_EQ(server_->Admit("m", {}).code(), StatusCode::kUnavailable);
  EXPECT_TRUE(server_->Ready().ok()) << "what was never installed does not block the rest";
  const Status status = Refusal(Request("m"));
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("weights are not installed"));
}

TEST_F(ModelServerTest, AModelThatFailsToLoadIsNamedAndTheOthersServe) {
  AddModel("bad");
  AddModel("good");
  AddModel("wrong", "nonsense = 1\n");
  puppet_->failures["bad"] = Status::InvalidArgument("not a TorchScript file");
  Serve();
  EXPECT_EQ(server_->Find("bad")->state, ServiceState::kFailed);
  EXPECT_EQ(server_->Find("bad")->reason, "not a TorchScript file");
  EXPECT_EQ(server_->Find("wrong")->state, ServiceState::kFailed);
  EXPECT_THAT(server_->Find("wrong")->reason, HasSubstr("wrong/model.toml:1: nonsense"));
  EXPECT_EQ(server_->Find("good")->state, ServiceState::kReady);
  EXPECT_TRUE(server_->Ready().ok()) << "a bad folder must not take the server out of rotation";
  EXPECT_EQ(server_->List().size(), 3U);
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_service_ready{model=\"bad\"} 0"));
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_service_ready{model=\"good\"} 1"));
  EXPECT_EQ(Refusal(Request("bad")).code(), StatusCode::kUnavailable);
}

TEST_F(ModelServerTest, IsNotReadyWhenEverythingFailed) {
  AddModel("bad");
  puppet_->failures["bad"] = Status::InvalidArgument("x");
  Serve();
  EXPECT_EQ(server_->Ready().message(), "no service is ready; failed to load: bad");
}

TEST_F(ModelServerTest, EachModelIsPublishedAsItGetsReady) {
  AddModel("a");
  AddModel("b");
  puppet_->gates["b"] = &gate_;
  Create();
  EXPECT_EQ(server_->Ready().message(), "loading: a, b");
  server_->StartLoading();
  gate_.WaitForArrivals(1);  // b is being loaded, so a is through
  EXPECT_EQ(server_->Find("a")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("b")->state, ServiceState::kLoading);
  EXPECT_EQ(server_->Ready().message(), "loading: b");
  EXPECT_EQ(server_->Admit("b", {}).code(), StatusCode::kUnavailable);
  Infer(Request("b"));
  EXPECT_THAT(answers_.WaitFor(1)[0].status.message(), HasSubstr("is loading"));
  Infer(Request("a"));
  EXPECT_EQ(scheduler_.Take(1).size(), 1U) << "a serves while b loads";
  gate_.Open();
  server_->WaitLoaded();
  EXPECT_EQ(server_->Find("b")->state, ServiceState::kReady);
}

TEST_F(ModelServerTest, DecodeErrorsReachTheCaller) {
  AddModel("m");
  Serve();
  EXPECT_EQ(Refusal(Request("m", "this is no image")).code(), StatusCode::kUnsupportedMedia);
  EXPECT_THAT(Metrics(),
              HasSubstr("xcloud_inference_total{model=\"m\",outcome=\"unsupported_media\"} 1"));
}

TEST_F(ModelServerTest, TheConfiguredPixelLimitHolds) {
  AddModel("m");
  decode_.max_pixels = 300 * 259;
  Serve();
  EXPECT_EQ(Refusal(Request("m", Png(300, 260))).code(), StatusCode::kTooLarge);
}

TEST_F(ModelServerTest, TheSchedulersRefusalReachesTheCaller) {
  AddModel("m");
  scheduler_.set_submit(Status::Overloaded("queue full", std::chrono::milliseconds(30)));
  Serve();
  const Status status = Refusal(Request("m"));
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(status.retry_after(), std::chrono::milliseconds(30));
}

// The waiting photos below hold no image: decoding one would answer UnsupportedMedia.

TEST_F(ModelServerTest, ACancelledRequestIsNeverDecoded) {
  ServeWithABusyDecodeThread();
  InferenceRequest request = Request("m", "no image");
  request.cancel = std::make_shared<CancelToken>();
  const CancelTokenPtr cancel = request.cancel;
  Infer(std::move(request));
  cancel->Cancel();
  gate_.Open();
  EXPECT_EQ(answers_.WaitFor(1)[0].status.code(), StatusCode::kCancelled);
}

TEST_F(ModelServerTest, AnExpiredRequestIsNeverDecoded) {
  ServeWithABusyDecodeThread();
  InferenceRequest request = Request("m", "no image");
  request.deadline = Deadline::After(clock_.Now(), std::chrono::milliseconds(5));
  Infer(std::move(request));
  clock_.Advance(std::chrono::milliseconds(5));
  gate_.Open();
  const Status status = answers_.WaitFor(1)[0].status;
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("before the photo was decoded"));
}

TEST_F(ModelServerTest, AFullDecodeQueueIsRefusedAtOnce) {
  ServeWithABusyDecodeThread();
  Infer(Request("m"));
  EXPECT_TRUE(server_->Admit("m", {}).ok());
  Infer(Request("m"));
  EXPECT_EQ(server_->Admit("m", {}).code(), StatusCode::kOverloaded);
  Infer(Request("m"));
  EXPECT_EQ(answers_.count(), 1U) << "refused inline";
  const Status status = answers_.WaitFor(1)[0].status;
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_GT(status.retry_after().count(), 0);
  gate_.Open();
  EXPECT_EQ(scheduler_.Take(3).size(), 3U);
}

TEST_F(ModelServerTest, AdmitAsksTheSchedulerAndTheDeadline) {
  AddModel("m");
  Serve();
  EXPECT_EQ(server_->Admit("m", Deadline::At(clock_.Now())).code(), StatusCode::kDeadlineExceeded);
  scheduler_.set_admit(Status::Overloaded("backlog", std::chrono::milliseconds(90)));
  EXPECT_EQ(server_->Admit("m", {}).retry_after(), std::chrono::milliseconds(90));
}

TEST_F(ModelServerTest, StopAnswersEveryRequestOnceAndTakesNoMore) {
  ServeWithABusyDecodeThread();
  Infer(Request("m", "waits for the decode thread"));
  gate_.Open();
  server_->Stop();
  // One was in the scheduler's queue, one waited to be decoded.
  ASSERT_EQ(answers_.count(), 2U);
  for (const InferenceResult& result : answers_.WaitFor(2)) EXPECT_FALSE(result.status.ok());
  Infer(Request("m"));
  EXPECT_EQ(answers_.WaitFor(3)[2].status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->Admit("m", {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->Ready().code(), StatusCode::kUnavailable);
  EXPECT_THAT(scheduler_.models(), IsEmpty());
}

TEST_F(ModelServerTest, ARequestMayBeAnsweredAfterTheServerIsGone) {
  AddModel("m");
  Serve();
  Infer(Request("m"));
  auto taken = scheduler_.Take(1);  // as on a lane
  server_.reset();
  static_cast<PhotoRequest&>(*taken[0]).Answer(std::vector<float>{1, 2, 3}, 1, "cpu0/0", {}, {},
                                               {});
  EXPECT_TRUE(answers_.WaitFor(1)[0].status.ok());
}

TEST_F(ModelServerTest, StopWhileLoadingPublishesNothingMore) {
  AddModel("a");
  AddModel("b");
  puppet_->gates["a"] = &gate_;
  Create();
  server_->StartLoading();
  gate_.WaitForArrivals(1);
  std::thread stopper([this] { server_->Stop(); });
  server_->WaitLoaded();  // ends when Stop has begun
  gate_.Open();
  stopper.join();
  EXPECT_THAT(scheduler_.models(), IsEmpty());
  EXPECT_EQ(server_->Find("b")->state, ServiceState::kLoading);
}

TEST_F(ModelServerTest, AMissingRepositoryIsAnError) {
  const auto server = ModelServer::Create({(root_.path() / "nowhere").string()}, decode_, devices_,
                                          scheduler_, clock_, metrics_);
  EXPECT_EQ(server.status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace xcloud
