// What operators change of a service that answers: ModelServer::Batching and ChangeBatching.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "models/model_server.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr const char* kToml =
    "[model]\nbackend = 'null'\n[batching]\nmax_batch = 4\nqueue_capacity = 9\n"
    "[latency]\ngoal_ms = 40\n";

class ModelServerBatchingTest : public ModelServerTest {
 protected:
  void ServeM() {
    AddModel("m", kToml);
    Serve();
  }
  static BatchingPatch MaxBatch(std::size_t items) {
    BatchingPatch patch;
    patch.max_batch = items;
    return patch;
  }
  BatchLimits LimitsOf(ModelId model) const { return scheduler_.models().at(model).limits; }
};

TEST_F(ModelServerBatchingTest, ShowsWhatModelTomlSays) {
  ServeM();
  const auto view = server_->Batching("m");
  ASSERT_TRUE(view.ok()) << view.status().message();
  EXPECT_EQ(view->current.version, 1U);
  EXPECT_EQ(view->current.since, clock_.WallNow());
  EXPECT_EQ(view->current.limits.max_batch, 4U);
  EXPECT_EQ(view->max_batch_limit, 4U);
}

TEST_F(ModelServerBatchingTest, OnlyWhatAnswersHasKnobs) {
  AddModel("none", "");
  Serve();
  EXPECT_EQ(server_->Batching("nobody").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->ChangeBatching("nobody", MaxBatch(1)).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(server_->Batching("none").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->ChangeBatching("none", MaxBatch(1)).status().code(), StatusCode::kUnavailable);
}

TEST_F(ModelServerBatchingTest, AChangeReachesTheQueueAndTheSnapshotAndLosesNoRequest) {
  ServeM();
  Infer(Request("m"));
  const auto waiting = scheduler_.Take(1);
  const ServiceInfoPtr before = server_->Find("m");
  BatchingPatch patch = MaxBatch(2);
  patch.latency_goal_ms = 90;
  patch.priority = Priority::kHigh;
  clock_.Advance(std::chrono::seconds(3));
  const auto view = server_->ChangeBatching("m", patch);
  ASSERT_TRUE(view.ok()) << view.status().message();
  EXPECT_EQ(view->current.version, 2U);
  EXPECT_EQ(view->current.since, clock_.WallNow());
  EXPECT_EQ(server_->Batching("m")->history.size(), 2U);
  EXPECT_EQ(LimitsOf(1), view->current.limits);
  EXPECT_EQ(LimitsOf(1).max_batch, 2U);
  const ServiceInfoPtr after = server_->Find("m");
  EXPECT_EQ(after->max_batch, 2U);
  EXPECT_EQ(after->latency_goal, milliseconds(90));
  EXPECT_EQ(after->priority, Priority::kHigh);
  EXPECT_EQ(after->state, ServiceState::kReady);
  EXPECT_EQ(before->max_batch, 4U) << "a published snapshot never changes";
  Answer(waiting[0]);
  EXPECT_TRUE(answers_.WaitFor(1)[0].status.ok());
  Infer(Request("m"));
  EXPECT_EQ(scheduler_.Take(1)[0]->deadline.when(), clock_.Now() + milliseconds(90));
  EXPECT_EQ(scheduler_.models().size(), 1U) << "nothing was reloaded";
}

TEST_F(ModelServerBatchingTest, AWrongPatchChangesNothing) {
  ServeM();
  const BatchLimits before = LimitsOf(1);
  BatchingPatch patch = MaxBatch(5);
  patch.latency_goal_ms = 90;
  const Status status = server_->ChangeBatching("m", patch).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("max_batch must be 1 to 4, is 5"));
  EXPECT_EQ(LimitsOf(1), before);
  EXPECT_EQ(server_->Find("m")->latency_goal, milliseconds(40));
}

TEST_F(ModelServerBatchingTest, AReloadKeepsTheChanges) {
  ServeM();
  ASSERT_TRUE(server_->ChangeBatching("m", MaxBatch(2)).ok());
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(LimitsOf(2).max_batch, 2U);
  EXPECT_EQ(server_->Batching("m")->current.version, 2U);
  EXPECT_EQ(server_->Find("m")->max_batch, 2U);
}

TEST_F(ModelServerBatchingTest, AnUnloadAndALoadKeepTheChanges) {
  ServeM();
  ASSERT_TRUE(server_->ChangeBatching("m", MaxBatch(2)).ok());
  ASSERT_TRUE(server_->Unload("m", nullptr).ok());
  EXPECT_EQ(server_->Batching("m").status().code(), StatusCode::kUnavailable);
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  scheduler_.WaitForAdded(2);
  EXPECT_EQ(LimitsOf(2).max_batch, 2U);
}

TEST_F(ModelServerBatchingTest, AChangedModelTomlWins) {
  ServeM();
  ASSERT_TRUE(server_->ChangeBatching("m", MaxBatch(2)).ok());
  AddModel("m", "[model]\nbackend = 'null'\n[batching]\nmax_batch = 8\n");
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(LimitsOf(2).max_batch, 8U);
  const auto view = server_->Batching("m");
  EXPECT_EQ(view->current.version, 1U);
  EXPECT_EQ(view->current.limits.max_batch, 8U);
  EXPECT_EQ(view->max_batch_limit, 8U);
}

TEST_F(ModelServerBatchingTest, AChangeDuringAReloadReachesBothQueues) {
  ServeM();
  scheduler_.before_add_model = [this] { gate_.Pass(); };
  ASSERT_TRUE(server_->Load("m", nullptr).ok());
  gate_.WaitForArrivals(1);  // warm, and its queue is being opened with the old limits
  ASSERT_TRUE(server_->ChangeBatching("m", MaxBatch(3)).ok());
  EXPECT_EQ(LimitsOf(1).max_batch, 3U);
  gate_.Open();
  scheduler_.WaitForRemoved(1);
  EXPECT_EQ(LimitsOf(2).max_batch, 3U);
  EXPECT_EQ(server_->Find("m")->max_batch, 3U);
}

}  // namespace
}  // namespace xcloud
