// Several versions of a service: which are served, which one a request gets, and what stays when a
// load fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

#include "models/model_server.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelServerVersionsTest : public ModelServerTest {
 protected:
  void AddVersions(std::initializer_list<const char*> versions) {
    for (const std::string version : versions) root_.Write("m/" + version + "/model.pt", version);
  }
  void Declare(const std::string& versions) {
    AddModel("m", versions.empty() ? "" : "[versions]\n" + versions + "\n");
  }
  // Loads and waits for the end.
  Status Load() {
    Mutex mutex;
    CondVar changed;
    std::optional<Status> ended;
    const Status begun = server_->Load("m", [&](Status status) {
      MutexLock lock(mutex);
      ended = std::move(status);
      changed.NotifyAll();
    });
    if (!begun.ok()) return begun;
    MutexLock lock(mutex);
    while (!ended) changed.Wait(mutex);
    return *ended;
  }
  // The version that answers a request for `version`; what it is refused with, if it is.
  std::string Ask(const std::string& version) {
    const std::size_t before = answers_.count();
    InferenceRequest request = Request("m");
    request.version = version;
    Infer(std::move(request));
    const Status admitted = server_->Admit("m", version, Priority::kNormal, Deadline());
    if (answers_.count() > before) {
      const Status status = answers_.WaitFor(before + 1).back().status;
      EXPECT_EQ(admitted, status) << "refused at the door in the same words";
      return status.message();
    }
    EXPECT_TRUE(admitted.ok()) << admitted.message();
    Answer(scheduler_.Take(1)[0]);
    return answers_.WaitFor(before + 1).back().version;
  }
  std::vector<std::string> Rows() const {
    std::vector<std::string> rows;
    for (const VersionState& one : server_->Find("m")->versions) {
      std::string row = one.version + " " + std::string(ServiceStateName(one.state));
      for (const std::string& label : one.labels) row += " " + label;
      rows.push_back(row);
    }
    return rows;
  }
};

TEST_F(ModelServerVersionsTest, LatestServesSoMany) {
  AddVersions({"1", "2", "10"});
  Declare("count = 2");
  Serve();
  EXPECT_THAT(Rows(), ElementsAre("2 ready", "10 ready"));
  EXPECT_EQ(Ask(""), "10");
  EXPECT_EQ(Ask("2"), "2");
  EXPECT_EQ(Ask("1"), "service 'm' has no version '1'; it serves 2, 10");
  EXPECT_EQ(Ask("canary"), "service 'm' has no version or label 'canary'; it serves 2, 10");
}

TEST_F(ModelServerVersionsTest, LabelsStandForVersionsAndStableIsTheDefault) {
  AddVersions({"1", "2", "3"});
  Declare("labels = { stable = 1, canary = 2 }");
  Serve();
  EXPECT_THAT(Rows(), ElementsAre("1 ready stable", "2 ready canary", "3 ready"));
  EXPECT_EQ(server_->Find("m")->version, "1");
  EXPECT_EQ(Ask(""), "1");
  EXPECT_EQ(Ask("stable"), "1");
  EXPECT_EQ(Ask("canary"), "2");
  EXPECT_EQ(Ask("3"), "3");
  EXPECT_EQ(Ask("9"), "service 'm' has no version '9'; it serves 1 (stable), 2 (canary), 3");
  EXPECT_EQ((*server_->FindVersion("m", "canary"))->version, "2");
  EXPECT_EQ(server_->FindVersion("m", "other").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->FindVersion("x", "1").status().code(), StatusCode::kNotFound);
}

TEST_F(ModelServerVersionsTest, OnlyLoadsBesideWhatServesAreNiced) {
  AddVersions({"1"});
  Declare("");
  Serve();
  const int own = getpriority(PRIO_PROCESS, 0);
  EXPECT_THAT(puppet_->niceness(), ElementsAre(own)) << "people wait for the first load";
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(puppet_->niceness().count(std::min(own + 10, 19)), 1U);
}

TEST_F(ModelServerVersionsTest, AllAndListed) {
  AddVersions({"1", "2", "3"});
  Declare("policy = 'listed'\nlist = [1, 3]");
  Serve();
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "3 ready"));
  Declare("policy = 'all'");
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 ready", "3 ready"));
  EXPECT_EQ(server_->Find("m")->version_policy, "all");
  Declare("policy = 'listed'\nlist = [2, 7]");
  EXPECT_THAT(Load().message(), HasSubstr("wants version 7, but there is no m/7/model.pt"));
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 ready", "3 ready", "7 no_weights"))
      << "nothing is taken out while what is wanted is not complete";
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("versions 1, 2, 3 go on answering"));
  AddVersions({"7"});
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(Rows(), ElementsAre("2 ready", "7 ready"));
  EXPECT_EQ(server_->Find("m")->reason, "");
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_model_version_ready{model=\"m\",version=\"7\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("xcloud_model_version_ready{model=\"m\",version=\"3\"} 0"));
}

TEST_F(ModelServerVersionsTest, AVersionThatFailsLeavesTheOneBelow) {
  AddVersions({"1", "2"});
  Declare("");
  puppet_->failures["m/2"] = Status::InvalidArgument("not a TorchScript file");
  Serve();
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 failed"));
  EXPECT_EQ(Ask(""), "1") << "a restart with a broken version serves the one before";
  EXPECT_EQ(Ask("2"), "service 'm' version 2 does not answer: not a TorchScript file");
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("version 1 goes on answering"));
  EXPECT_THAT(Metrics(),
              HasSubstr("xcloud_model_loads_total{model=\"m\",outcome=\"invalid_argument\"} 1"));
  puppet_->failures.clear();
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(Rows(), ElementsAre("2 ready"));
  EXPECT_EQ(Ask(""), "2");
}

TEST_F(ModelServerVersionsTest, AMismatchedVersionLeavesTheOldServing) {
  AddVersions({"1"});
  Declare("");
  Serve();
  AddVersions({"2"});
  puppet_->outputs["m"] = 4;  // labels.txt has three
  const Status status = Load();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("labels.txt names 3 labels, but the network gives 4"));
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 failed"));
  EXPECT_EQ(Ask(""), "1");
}

TEST_F(ModelServerVersionsTest, ChecksumsThatDoNotMatchLeaveTheOldServing) {
  AddVersions({"1"});
  Declare("");
  Serve();
  AddVersions({"2"});
  root_.Write("m/2/SHA256SUMS", std::string(64, '0') + "  model.pt\n");
  EXPECT_THAT(Load().message(), HasSubstr("m/2/model.pt: its SHA-256 is"));
  EXPECT_EQ(Ask(""), "1");
  EXPECT_THAT(puppet_->made(), ElementsAre("m/1")) << "it is refused before it is loaded";
}

TEST_F(ModelServerVersionsTest, AReloadThatFailsKeepsThatVersionAndSaysWhy) {
  AddVersions({"1"});
  Declare("");
  Serve();
  puppet_->failures["m/1"] = Status::Internal("no memory");
  EXPECT_EQ(Load().message(), "no memory");
  EXPECT_THAT(Rows(), ElementsAre("1 ready"));
  EXPECT_THAT(server_->Find("m")->versions[0].reason, HasSubstr("goes on answering"));
  EXPECT_THAT(server_->Find("m")->versions[0].reason, HasSubstr("no memory"));
  EXPECT_EQ(Ask("1"), "1");
}

TEST_F(ModelServerVersionsTest, ALabelNeverMovesToAVersionThatDoesNotAnswer) {
  AddVersions({"1", "2"});
  Declare("labels = { stable = 1 }");
  Serve();
  EXPECT_EQ(Ask(""), "1");
  Declare("labels = { stable = 3 }");
  AddVersions({"3"});
  puppet_->failures["m/3"] = Status::InvalidArgument("broken");
  EXPECT_EQ(Load().message(), "broken");
  EXPECT_EQ(Ask(""), "1");
  EXPECT_EQ(Ask("stable"), "1");
  puppet_->failures.clear();
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(Ask(""), "3");
  EXPECT_THAT(Rows(), ElementsAre("3 ready stable"));
}

TEST_F(ModelServerVersionsTest, ANewStableLabelWaitsForAVersionThatAnswers) {
  AddVersions({"1"});
  Declare("");
  Serve();
  EXPECT_EQ(Ask(""), "1");
  Declare("labels = { stable = 2 }");
  EXPECT_THAT(Load().message(), HasSubstr("wants version 2, but there is no m/2/model.pt"));
  EXPECT_EQ(Ask(""), "1") << "no folder 2/ yet";
  AddVersions({"2", "3"});
  puppet_->failures["m/2"] = Status::InvalidArgument("broken");
  EXPECT_EQ(Load().message(), "broken");
  EXPECT_THAT(Rows(), ElementsAre("1 ready stable", "2 failed", "3 ready"));
  EXPECT_EQ(Ask(""), "1") << "and not 3, which nobody asked for";
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  puppet_->failures.clear();
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(Ask(""), "2");
}

TEST_F(ModelServerVersionsTest, ANewStableLabelOfABrokenVersionKeepsTheOneThatAnswered) {
  AddVersions({"1"});
  Declare("");
  Serve();
  AddVersions({"2"});
  Declare("labels = { stable = 2 }");
  puppet_->failures["m/2"] = Status::InvalidArgument("broken");
  EXPECT_EQ(Load().message(), "broken");
  EXPECT_EQ(Ask(""), "1");
  EXPECT_THAT(server_->Find("m")->reason, HasSubstr("version 1 goes on answering"));
}

TEST_F(ModelServerVersionsTest, WithoutItsStableVersionOnlyNamedVersionsAreAnswered) {
  AddVersions({"1", "2"});
  Declare("labels = { stable = 1 }");
  puppet_->failures["m/1"] = Status::InvalidArgument("broken");
  Serve();
  EXPECT_THAT(Ask(""), HasSubstr("its stable version 1 is not ready: broken; it serves 2"));
  EXPECT_EQ(Ask("2"), "2");
  EXPECT_FALSE(server_->Ready().ok());
}

TEST_F(ModelServerVersionsTest, TheOldVersionAnswersUntilTheNewOneIsWarm) {
  AddVersions({"1"});
  Declare("");
  Serve();
  AddVersions({"2"});
  puppet_->gates["m/2"] = &gate_;
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 loading"));
  EXPECT_EQ(Ask(""), "1");
  EXPECT_EQ(Ask("2"), "service 'm' version 2 is loading; try again soon");
  gate_.Open();
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(Ask(""), "2");
}

TEST_F(ModelServerVersionsTest, StatisticsAndKnobsOfSeveralVersions) {
  AddVersions({"1", "2"});
  AddModel("m", "[versions]\npolicy = 'all'\n[batching]\nmax_batch = 4\n");
  Serve();
  Ask("1");
  EXPECT_EQ(server_->Statistics("m", "1")->inference_count, 1U);
  EXPECT_EQ(server_->Statistics("m", "2")->inference_count, 0U);
  EXPECT_EQ(server_->Statistics("m", "")->version, "2");
  EXPECT_EQ(server_->Statistics("m", "3").status().code(), StatusCode::kNotFound);
  BatchingPatch patch;
  patch.max_batch = 2;
  ASSERT_TRUE(server_->ChangeBatching("m", patch).ok());
  for (const auto& [id, model] : scheduler_.models()) EXPECT_EQ(model.limits.max_batch, 2U);
  EXPECT_EQ((*server_->FindVersion("m", "1"))->max_batch, 2U);
}

TEST_F(ModelServerVersionsTest, AnUnloadTakesAllVersionsOut) {
  AddVersions({"1", "2"});
  Declare("policy = 'all'");
  Serve();
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  scheduler_.WaitForRemoved(1);
  scheduler_.WaitForRemoved(2);
  EXPECT_THAT(Rows(), ElementsAre("1 unloaded", "2 unloaded"));
  EXPECT_THAT(Ask("1"), HasSubstr("unloaded by an operator"));
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(Rows(), ElementsAre("1 ready", "2 ready"));
}

TEST_F(ModelServerVersionsTest, AFolderThatIsNewCanBeLoaded) {
  Serve();
  EXPECT_EQ(server_->Load("m", nullptr).code(), StatusCode::kNotFound);
  AddVersions({"4"});
  Declare("");
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(Ask(""), "4");
  EXPECT_TRUE(server_->Ready().ok());
}

}  // namespace
}  // namespace xcloud
