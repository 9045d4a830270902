#include "models/model_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  EXPECT_TRUE(Admit("dropped").ok());
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
  auto& photo = static_cast<ItemRequest&>(*taken[0]);
  EXPECT_EQ(photo.pixels().size(), 224U * 224U * 3U);
  EXPECT_EQ(photo.pixels()[0], 30) << "RGB";
  EXPECT_TRUE(photo.request().image.empty()) << "the encoded bytes are not kept";
  EXPECT_EQ(photo.deadline.when(), clock_.Now() + std::chrono::milliseconds(40))
      << "the model's goal, from the first byte";
  clock_.Advance(std::chrono::milliseconds(7));
  photo.Answer(0, 1, std::vector<float>{1, 2, 3}, {1, "cpu0/0", {}, {}, {}});
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
  EXPECT_EQ(Admit("nobody").code(), StatusCode::kNotFound);
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
  EXPECT_EQ(Admit("m").code(), StatusCode::kUnavailable);
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
  EXPECT_EQ(Admit("b").code(), StatusCode::kUnavailable);
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
  EXPECT_EQ(scheduler_.submitted(), 0U) << "what cannot be decoded must not spoil a batch";
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
  EXPECT_TRUE(Admit("m").ok());
  Infer(Request("m"));
  EXPECT_EQ(Admit("m").code(), StatusCode::kOverloaded);
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
  EXPECT_EQ(Admit("m", Deadline::At(clock_.Now())).code(), StatusCode::kDeadlineExceeded);
  scheduler_.set_admit(Status::Overloaded("backlog", std::chrono::milliseconds(90)));
  EXPECT_EQ(Admit("m").retry_after(), std::chrono::milliseconds(90));
}

TEST_F(ModelServerTest, AdmitTellsTheSchedulerWhatIsStillToCome) {
  AddModel("m");
  decode_.queue_capacity = 3;
  int photo = 0;
  scheduler_.before_submit = [&] {
    if (++photo > 1) {
      EXPECT_TRUE(Admit("m").ok());
      return;
    }
    gate_.Pass();
    clock_.Advance(std::chrono::milliseconds(40));  // what decoding the first one takes
  };
  Serve();
  for (int i = 0; i < 3; ++i) {
    Infer(Request("m"));
    if (i == 0) gate_.WaitForArrivals(1);
  }
  const Deadline deadline = Deadline::At(clock_.Now() + std::chrono::seconds(9));
  EXPECT_TRUE(server_->Admit("m", "", Priority::kLow, deadline).ok());
  gate_.Open();
  EXPECT_EQ(scheduler_.Take(3).size(), 3U);
  const std::vector<AdmitQuery> queries = scheduler_.queries();
  ASSERT_EQ(queries.size(), 3U);
  EXPECT_EQ(queries[0].priority, Priority::kLow);
  EXPECT_EQ(queries[0].deadline.when(), deadline.when());
  EXPECT_EQ(queries[0].items, 1U);
  EXPECT_EQ(queries[0].upstream_items, 3U);
  EXPECT_EQ(queries[0].upstream_delay, Duration::zero()) << "nothing is measured yet";
  EXPECT_EQ(queries[1].upstream_items, 2U);
  EXPECT_EQ(queries[1].upstream_delay, std::chrono::milliseconds(80))
      << "the one that waits and the newcomer itself";
  EXPECT_EQ(queries[2].upstream_items, 1U);
}

TEST_F(ModelServerTest, IsNotReadyWithoutAUsableDevice) {
  AddModel("m");
  Serve();
  DeviceHealth faulty{"cpu0", DeviceState::kQuarantined, "a batch hung", 1, 0, 1};
  DeviceHealth probing{"cpu1", DeviceState::kProbing, "", 1, 0, 1};
  scheduler_.set_devices({faulty, probing});
  EXPECT_EQ(server_->Ready().message(),
            "no device is usable: cpu0 is quarantined (a batch hung), cpu1 is probing");
  EXPECT_EQ(server_->Ready().code(), StatusCode::kUnavailable);
  probing.state = DeviceState::kReady;
  scheduler_.set_devices({faulty, probing});
  EXPECT_TRUE(server_->Ready().ok());
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
  EXPECT_EQ(Admit("m").code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->Ready().code(), StatusCode::kUnavailable);
  EXPECT_THAT(scheduler_.models(), IsEmpty());
}

TEST_F(ModelServerTest, ARequestMayBeAnsweredAfterTheServerIsGone) {
  AddModel("m");
  Serve();
  Infer(Request("m"));
  auto taken = scheduler_.Take(1);  // as on a lane
  server_.reset();
  Answer(taken[0]);
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
