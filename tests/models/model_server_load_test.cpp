// Models that come and go while others are served: ModelServer::Load and Unload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "models/model_server.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Models are numbered from 1 by the puppet scheduler, in the order in which they are added.
class ModelServerLoadTest : public ModelServerTest {
 protected:
  // Serves version 1 of "m", as model 1 of the scheduler.
  void ServeM() {
    AddModel("m", "");
    AddVersion("1");
    Serve();
  }
  void AddVersion(const std::string& version) { root_.Write("m/" + version + "/model.pt", "x"); }

  // What was asked before it is done when this returns. `model` is the number that it gets.
  void WaitForJobs(ModelId model) {
    ASSERT_TRUE(server_->Load("z", nullptr).ok());
    scheduler_.WaitForAdded(model);
  }
};

TEST_F(ModelServerLoadTest, ALoadServesTheHighestVersionAndTheOldAnswersWhatItAccepted) {
  ServeM();
  Infer(Request("m"));
  auto running = scheduler_.Take(1);  // as on a lane
  Infer(Request("m"));
  AddVersion("2");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  clock_.WaitForSleepers(1);  // version 2 is published, version 1 is waited for
  EXPECT_EQ(server_->Find("m")->version, "2");
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_EQ(scheduler_.models().at(2).version, "2");
  EXPECT_EQ(scheduler_.models().count(1), 1U) << "a request waits in the old queue";
  Infer(Request("m"));
  auto waiting = scheduler_.Take(2);
  EXPECT_EQ(static_cast<ItemRequest&>(*waiting[0]).model().version, "1");
  EXPECT_EQ(static_cast<ItemRequest&>(*waiting[1]).model().version, "2");
  for (const auto& request : {running[0], waiting[0], waiting[1]}) Answer(request);
  running.clear();
  waiting.clear();
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(scheduler_.models().count(2), 1U);
  const auto results = answers_.WaitFor(3);
  for (const InferenceResult& result : results) EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(results[1].version, "1");
  EXPECT_EQ(results[2].version, "2");
}

TEST_F(ModelServerLoadTest, APhotoThatIsStillDecodedKeepsItsVersionsQueueOpen) {
  AddModel("m", "");
  AddVersion("1");
  bool first = true;
  scheduler_.before_submit = [&] {
    if (std::exchange(first, false)) gate_.Pass();
  };
  Serve();
  Infer(Request("m"));
  gate_.WaitForArrivals(1);
  AddVersion("2");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  clock_.WaitForSleepers(1);
  gate_.Open();
  Answer(scheduler_.Take(1)[0]);
  EXPECT_TRUE(answers_.WaitFor(1)[0].status.ok());
  scheduler_.WaitForRemoved(1);
}

TEST_F(ModelServerLoadTest, WhatTheOldVersionDoesNotAnswerInTimeIsRefused) {
  ServeM();
  Infer(Request("m"));
  while (scheduler_.submitted() < 1) std::this_thread::yield();
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  clock_.WaitForSleepers(1);
  clock_.Advance(ModelServer::kDrainLimit);
  EXPECT_EQ(answers_.WaitFor(1)[0].status.code(), StatusCode::kUnavailable);
  scheduler_.WaitForRemoved(1);
}

TEST_F(ModelServerLoadTest, AFailedLoadLeavesWhatServesAndSaysWhy) {
  AddModel("z");
  ServeM();  // m is model 1, z is 2
  AddVersion("2");
  puppet_->failures["m"] = Status::InvalidArgument("not a TorchScript file");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  WaitForJobs(3);
  const ServiceInfoPtr info = server_->Find("m");
  EXPECT_EQ(info->state, ServiceState::kReady);
  EXPECT_EQ(info->version, "1");
  EXPECT_THAT(info->reason, HasSubstr("version 1 goes on answering"));
  EXPECT_THAT(info->reason, HasSubstr("not a TorchScript file"));
  Infer(Request("m"));
  EXPECT_EQ(static_cast<ItemRequest&>(*scheduler_.Take(1)[0]).model().version, "1");
  EXPECT_TRUE(server_->Ready().ok());

  puppet_->failures.clear();
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  WaitForJobs(5);
  EXPECT_EQ(server_->Find("m")->version, "2");
  EXPECT_EQ(server_->Find("m")->reason, "");
}

TEST_F(ModelServerLoadTest, NothingIsLoadedWhileADeviceIsInQuarantine) {
  ServeM();
  AddVersion("2");
  DeviceHealth faulty;
  faulty.name = "cuda0";
  faulty.state = DeviceState::kQuarantined;
  scheduler_.set_devices({faulty});
  const Status refused = server_->Load("m", nullptr);
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("cuda0"));
  EXPECT_EQ(server_->Find("m")->version, "1");
}

TEST_F(ModelServerLoadTest, AFolderThatIsGoneOrWrongLeavesWhatServes) {
  AddModel("z");
  ServeM();
  std::filesystem::remove_all(root_.path() / "m" / "1");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  WaitForJobs(3);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("weights are not installed"));
  AddModel("m", "nonsense = 1\n");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  WaitForJobs(4);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("nonsense"));
}

TEST_F(ModelServerLoadTest, WhatFailedOrHadNoWeightsCanBeLoadedWithoutLosingReadiness) {
  AddModel("m", "");
  AddModel("z");
  Serve();  // z is model 1
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kNoWeights);
  AddVersion("1");
  puppet_->gates["m"] = &gate_;
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kLoading);
  EXPECT_EQ(Admit("m").code(), StatusCode::kUnavailable);
  EXPECT_TRUE(server_->Ready().ok()) << "z serves";
  EXPECT_TRUE(Admit("z").ok());
  gate_.Open();
  WaitForJobs(3);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("m")->version, "1");
}

TEST_F(ModelServerLoadTest, LoadsThatWaitAreOneLoad) {
  AddModel("m");
  AddModel("z");
  Serve();
  puppet_->gates["m"] = &gate_;
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(server_->Load("m", nullptr).ok());
  ASSERT_TRUE(server_->Load("z", nullptr).ok());
  gate_.Open();
  scheduler_.WaitForAdded(5);
  EXPECT_EQ(scheduler_.models().at(5).name, "z") << "m was loaded twice, not six times";
}

TEST_F(ModelServerLoadTest, UnknownServicesAndAStoppedServerRefuse) {
  AddModel("m");
  Serve();
  EXPECT_EQ(server_->Load("nobody", nullptr).code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->Load("../m", nullptr).code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->Unload("nobody", nullptr).code(), StatusCode::kNotFound);
  server_->Stop();
  EXPECT_EQ(server_->Load("m", nullptr).code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->Unload("m", nullptr).code(), StatusCode::kUnavailable);
}

TEST_F(ModelServerLoadTest, AnUnloadRefusesNewcomersAndAnswersWhatWasAccepted) {
  ServeM();
  Infer(Request("m"));
  auto waiting = scheduler_.Take(1);
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kUnloaded);
  EXPECT_EQ(server_->Find("m")->reason, "unloaded by an operator");
  EXPECT_THAT(Admit("m").message(), HasSubstr("unloaded by an operator"));
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_service_ready{model=\"m\"} 0"));
  EXPECT_EQ(server_->Ready().message(), "no service is ready; unloaded: m");
  EXPECT_EQ(server_->Unload("m", nullptr).code(), StatusCode::kUnavailable);
  Infer(Request("m"));
  EXPECT_EQ(answers_.WaitFor(1)[0].status.code(), StatusCode::kUnavailable);
  clock_.WaitForSleepers(1);
  EXPECT_EQ(scheduler_.models().size(), 1U) << "a request of it is not answered";
  Answer(waiting[0]);
  EXPECT_TRUE(answers_.WaitFor(2)[1].status.ok());
  waiting.clear();
  scheduler_.WaitForRemoved(1);
}

TEST_F(ModelServerLoadTest, WhatWasUnloadedCanBeLoadedAgain) {
  AddModel("z");
  ServeM();
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  EXPECT_TRUE(server_->Ready().ok()) << "z serves";
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  WaitForJobs(4);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("m")->reason, "");
  Infer(Request("m"));
  EXPECT_EQ(scheduler_.Take(1).size(), 1U);
}

TEST_F(ModelServerLoadTest, AnUnloadVoidsTheLoadThatRunsAndTheOneThatWaits) {
  AddModel("m");
  AddModel("z");
  Serve();
  puppet_->gates["m"] = &gate_;
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  gate_.Open();
  WaitForJobs(4);  // m, z, the load that was void, z
  EXPECT_EQ(scheduler_.models().at(4).name, "z");
  scheduler_.WaitForRemoved(3);
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kUnloaded);
}

TEST_F(ModelServerLoadTest, ALoadAfterAnUnloadWinsOverTheLoadThatRan) {
  ServeM();
  puppet_->gates["m"] = &gate_;
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kLoading);
  gate_.Open();
  scheduler_.WaitForAdded(3);
  scheduler_.WaitForRemoved(2);
  scheduler_.WaitForRemoved(1);
  server_->Stop();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
}

TEST_F(ModelServerLoadTest, StopDoesNotWaitForWhatIsLetGo) {
  ServeM();
  Infer(Request("m"));
  while (scheduler_.submitted() < 1) std::this_thread::yield();
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  clock_.WaitForSleepers(1);
  server_->Stop();
  EXPECT_EQ(answers_.WaitFor(1)[0].status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(scheduler_.models(), IsEmpty());
}

TEST_F(ModelServerLoadTest, RequestsOfOneModelGoOnWhileAnotherComesAndGoes) {
  AddModel("a");
  AddModel("b");
  Serve();
  ModelId added = 2;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(server_->Unload("b", nullptr).ok());
    ASSERT_TRUE(server_->Load("b", nullptr).ok());
    Infer(Request("a"));
    Answer(scheduler_.Take(1)[0]);
    scheduler_.WaitForAdded(++added);
    while (server_->Find("b")->state != ServiceState::kReady) std::this_thread::yield();
  }
  for (const InferenceResult& result : answers_.WaitFor(5)) EXPECT_TRUE(result.status.ok());
}

TEST_F(ModelServerLoadTest, AHostLoadsSeveralModelsAtOnceAtTheStart) {
  auto device = std::make_unique<PuppetDevice>("cpu0", 2);
  device->on_host = true;
  puppet_ = device.get();
  devices_[0] = std::move(device);
  for (const char* name : {"a", "b", "c"}) {
    AddModel(name);
    puppet_->gates[name] = &gate_;
  }
  Create();
  server_->StartLoading();
  gate_.WaitForArrivals(2);
  EXPECT_FALSE(server_->Ready().ok());
  ASSERT_TRUE(server_->Unload("a", nullptr).ok());  // waits for the load that it stops
  gate_.Open();
  server_->WaitLoaded();
  EXPECT_EQ(server_->Find("a")->state, ServiceState::kUnloaded);
  EXPECT_EQ(server_->Find("b")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("c")->state, ServiceState::kReady);
}

}  // namespace
}  // namespace xcloud
