// Models that come, change and go because their folders do: [repository] control = "poll", "both".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "models/model_server.h"
#include "models/repository_watch.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kPipeline = "[model]\nbackend = 'pipeline'\n[pipeline]\nkind = 'faces'\n";

class RepositoryWatchTest : public ::testing::Test {
 protected:
  void AddModel(const std::string& name) const {
    root_.Write(name + "/model.toml", "");
    root_.Write(name + "/labels.txt", "a\n");
    root_.Write(name + "/1/model.pt", "x");
  }
  RepositoryWatch::Changes Look() { return *watch_.Look(); }
  const TempFolder root_;
  RepositoryWatch watch_{root_.path()};
};

TEST_F(RepositoryWatchTest, AChangeCountsWhenTwoLooksSawTheSame) {
  AddModel("m");
  EXPECT_THAT(Look().changed, IsEmpty());
  EXPECT_THAT(Look().changed, ElementsAre("m"));
  EXPECT_THAT(Look().changed, IsEmpty());
  root_.Write("m/2/model.pt", "half");
  EXPECT_THAT(Look().changed, IsEmpty());
  root_.Write("m/2/model.pt", "half and more");
  EXPECT_THAT(Look().changed, IsEmpty()) << "it is still being copied";
  EXPECT_THAT(Look().changed, ElementsAre("m"));
  root_.Write("m/model.toml", "title = 'M'\n");
  Look();
  EXPECT_THAT(Look().changed, ElementsAre("m"));
}

TEST_F(RepositoryWatchTest, WhatIsActedUponIsNoChange) {
  AddModel("m");
  watch_.Acted("m", StampOfService(root_.path() / "m"));
  Look();
  EXPECT_THAT(Look().changed, IsEmpty());
}

TEST_F(RepositoryWatchTest, OneFileInAnothersPlaceIsAChange) {
  AddModel("m");
  root_.Write("m/other", "y");
  const auto file = root_.path() / "m/1/model.pt";
  std::filesystem::last_write_time(root_.path() / "m/other",
                                   std::filesystem::last_write_time(file));
  watch_.Acted("m", StampOfService(root_.path() / "m"));
  std::filesystem::rename(root_.path() / "m/other", file);
  Look();
  EXPECT_THAT(Look().changed, ElementsAre("m")) << "of the same size and time";
}

TEST_F(RepositoryWatchTest, WhatOptimizeIsStillMakingIsNoChange) {
  AddModel("m");
  watch_.Acted("m", StampOfService(root_.path() / "m"));
  root_.Write("m/1/optimized/.host.77/model.xml", "half");
  Look();
  EXPECT_THAT(Look().changed, IsEmpty()) << "the work folder of `xcloud model optimize`";
  std::filesystem::rename(root_.path() / "m/1/optimized/.host.77",
                          root_.path() / "m/1/optimized/host");
  Look();
  EXPECT_THAT(Look().changed, ElementsAre("m"));
}

TEST(RepositoryFilesTest, ANetworkOfTwoFilesIsCountedWhole) {
  const TempFolder root;
  root.Write("m/1/model.xml", "123");
  root.Write("m/1/model.bin", "12345");
  root.Write("m/1/optimized/host/model.bin", "1234567");
  EXPECT_EQ(BytesToLoad(root.path() / "m/1"), 8U);
}

TEST_F(RepositoryWatchTest, WhatIsGoneInTwoLooksIsRemoved) {
  AddModel("m");
  Look();
  Look();
  std::filesystem::rename(root_.path() / "m", root_.path() / "Away");
  EXPECT_THAT(Look().removed, IsEmpty());
  std::filesystem::rename(root_.path() / "Away", root_.path() / "m");
  EXPECT_THAT(Look().removed, IsEmpty()) << "it was only swapped";
  std::filesystem::remove_all(root_.path() / "m");
  Look();
  EXPECT_THAT(Look().removed, ElementsAre("m"));
  EXPECT_THAT(Look().removed, IsEmpty());
}

TEST_F(RepositoryWatchTest, ARepositoryThatCannotBeReadRemovesNothing) {
  AddModel("m");
  Look();
  Look();
  std::filesystem::rename(root_.path(), root_.path().string() + ".away");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(watch_.Look().status().code(), StatusCode::kNotFound);
  std::filesystem::rename(root_.path().string() + ".away", root_.path());
  Look();
  EXPECT_THAT(Look().removed, IsEmpty());
}

TEST_F(RepositoryWatchTest, OnlyFoldersWithAModelsNameAndAModelTomlCount) {
  root_.Write("Bad/model.toml", "");
  root_.Write("bare/1/model.pt", "x");
  root_.Write("file", "x");
  Look();
  EXPECT_THAT(Look().changed, IsEmpty());
}

class ModelServerPollTest : public ModelServerTest {
 protected:
  ModelServerPollTest() {
    repository_.control = "both";
    repository_.poll_interval_s = 5;
  }
  void AddVersion(const std::string& version, const std::string& text = "x") {
    root_.Write("m/" + version + "/model.pt", text);
  }
  // Lets one look at the folder happen, and what follows from it.
  void Look() {
    clock_.WaitForSleepers(1);
    clock_.Advance(std::chrono::seconds(5));
    clock_.WaitForSleepers(1, clock_.Now() + std::chrono::seconds(5));
  }
  void LookTwice() {
    Look();
    Look();
  }
  void ServeM() {
    AddModel("m", "");
    AddVersion("1");
    Serve();
  }
};

TEST_F(ModelServerPollTest, ANewVersionIsServedWithoutBeingAsked) {
  ServeM();
  AddVersion("2");
  Look();
  EXPECT_EQ(server_->Find("m")->version, "1") << "it may still be being copied";
  Look();
  EXPECT_EQ(server_->Find("m")->version, "2");
  LookTwice();
  EXPECT_THAT(puppet_->made(), ElementsAre("m/1", "m/2")) << "what has not changed stays loaded";
}

TEST_F(ModelServerPollTest, AVersionThatIsBeingCopiedIsNotLoaded) {
  ServeM();
  std::string copied;
  for (int look = 0; look < 4; ++look) {
    AddVersion("2", copied += "more ");
    Look();
    EXPECT_EQ(server_->Find("m")->version, "1");
  }
  Look();
  EXPECT_EQ(server_->Find("m")->version, "2");
}

TEST_F(ModelServerPollTest, AHalfCopiedVersionLeavesTheOldServingUntilItIsWhole) {
  ServeM();
  AddVersion("2", "who");
  root_.Write("m/2/SHA256SUMS",  // of "whole"
              "5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099  model.pt\n");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "1");
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("m/2/model.pt: its SHA-256 is"));
  LookTwice();
  EXPECT_THAT(Metrics(),
              HasSubstr("xcloud_model_loads_total{model=\"m\",outcome=\"invalid_argument\"} 1"))
      << "what has failed is not tried again as it is";
  AddVersion("2", "whole");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "2");
  EXPECT_EQ(server_->Find("m")->reason, "");
}

TEST_F(ModelServerPollTest, ANewFolderBecomesAService) {
  Serve();
  AddModel("m", "");
  AddVersion("1");
  LookTwice();
  ASSERT_NE(server_->Find("m"), nullptr);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_TRUE(Admit("m").ok());
}

TEST_F(ModelServerPollTest, AFolderThatIsGoneIsNoService) {
  AddModel("z");
  ServeM();  // m is model 1, z is 2
  std::filesystem::remove_all(root_.path() / "m");
  Look();
  EXPECT_NE(server_->Find("m"), nullptr);
  Look();
  EXPECT_EQ(server_->Find("m"), nullptr);
  EXPECT_EQ(Admit("m").code(), StatusCode::kNotFound);
  scheduler_.WaitForRemoved(1);
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_service_ready{model=\"m\"} 0"));
  EXPECT_TRUE(server_->Ready().ok()) << "z serves";
  AddModel("m", "");
  AddVersion("7");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "7");
}

TEST_F(ModelServerPollTest, AVersionThatIsGoneIsTakenOut) {
  AddModel("m", "[versions]\npolicy = 'all'\n");
  AddVersion("1");
  AddVersion("2");
  Serve();  // 2 is model 1
  std::filesystem::remove_all(root_.path() / "m" / "2");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "1");
  scheduler_.WaitForRemoved(1);
  std::filesystem::remove_all(root_.path() / "m" / "1");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kNoWeights);
  scheduler_.WaitForRemoved(2);
}

TEST_F(ModelServerPollTest, AChangedModelTomlIsAppliedAndAWrongOneIsNot) {
  ServeM();
  AddModel("m", "title = 'Better'\n");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->title, "Better");
  AddModel("m", "titel = 'Worse'\n");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->title, "Better");
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("titel: unknown key"));
}

TEST_F(ModelServerPollTest, WhatHadNoRoomIsTriedAgain) {
  ServeM();
  AddVersion("2");
  puppet_->failures["m/2"] = Status::Unavailable("no memory now");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "1");
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("no memory now"));
  puppet_->failures.clear();
  Look();
  EXPECT_EQ(server_->Find("m")->version, "2") << "though no file has changed";
  Look();
  EXPECT_THAT(puppet_->made().back(), "m/2");
  EXPECT_EQ(server_->Find("m")->reason, "");
}

TEST_F(ModelServerPollTest, APipelinesFolderStaysThePipelinesWhateverIsWrittenThere) {
  AddModel("p", kPipeline);
  ServeM();
  ASSERT_EQ(server_->Find("p"), nullptr);
  AddModel("p", std::string("titel = 'typo'\n") + kPipeline);
  LookTwice();
  EXPECT_EQ(server_->Find("p"), nullptr);
  AddModel("p", kPipeline);
  LookTwice();
  EXPECT_EQ(server_->Find("p"), nullptr);
  EXPECT_EQ(server_->List().size(), 1U);
}

TEST_F(ModelServerPollTest, ANewPipelineNeedsARestartAndIsToldSo) {
  ServeM();
  AddModel("p", kPipeline);
  LookTwice();
  ASSERT_NE(server_->Find("p"), nullptr);
  EXPECT_EQ(server_->Find("p")->state, ServiceState::kFailed);
  EXPECT_THAT(server_->Find("p")->reason, HasSubstr("needs a restart"));
  AddModel("m", kPipeline);
  LookTwice();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("needs a restart"));
}

TEST_F(ModelServerPollTest, WhatAnOperatorUnloadedStaysOut) {
  ServeM();
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  AddVersion("2");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kUnloaded);
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  scheduler_.WaitForAdded(2);
  AddVersion("3");
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "3");
}

TEST_F(ModelServerPollTest, NothingIsLoadedWhileADeviceIsSickAndItIsNotForgotten) {
  ServeM();
  DeviceHealth faulty;
  faulty.name = "cpu0";
  faulty.state = DeviceState::kQuarantined;
  scheduler_.set_devices({faulty});
  AddVersion("2");
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(server_->Find("m")->version, "1");
  scheduler_.set_devices({});
  LookTwice();
  EXPECT_EQ(server_->Find("m")->version, "2");
}

TEST_F(ModelServerPollTest, PollAloneRefusesOperatorsAndExplicitDoesNotLook) {
  repository_.control = "poll";
  ServeM();
  EXPECT_THAT(server_->Load("m", nullptr).message(), HasSubstr("control is \"poll\""));
  EXPECT_EQ(server_->Unload("m", nullptr).code(), StatusCode::kUnavailable);
  repository_.control = "explicit";
  server_.reset();
  Serve();
  AddVersion("2");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(server_->Find("m")->version, "1");
}

}  // namespace
}  // namespace xcloud
