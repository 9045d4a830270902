#include "models/load_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"

namespace xcloud {
namespace {

class LoadModelTest : public ::testing::Test {
 protected:
  LoadModelTest() {
    entry_.definition.name = "m";
    entry_.definition.labels = {"a", "b", "c"};
    entry_.definition.batching.max_batch = 4;
    entry_.version = "3";
    for (const std::size_t lanes : {2, 1}) {
      auto device = std::make_unique<PuppetDevice>("d" + std::to_string(puppets_.size()), lanes);
      puppets_.push_back(device.get());
      devices_.push_back(std::move(device));
    }
  }
  FakeClock clock_;
  RepositoryEntry entry_;
  std::vector<PuppetDevice*> puppets_;
  std::vector<std::unique_ptr<Device>> devices_;
};

TEST_F(LoadModelTest, MakesAWarmNetworkForEachLaneOfEachDevice) {
  const auto warm = LoadModel(entry_, devices_, clock_);
  ASSERT_TRUE(warm.ok()) << warm.status().message();
  EXPECT_EQ(warm->model->networks.size(), 3U);
  EXPECT_EQ(warm->model->version, "3");
  EXPECT_EQ(warm->model->output_size, 3U);
  // Buckets 1, 2, 4, each at least twice, on every lane.
  EXPECT_GE(puppets_[0]->runs(), 2 * 3 * 2);
  EXPECT_GE(puppets_[1]->runs(), 3 * 2);
}

TEST_F(LoadModelTest, ProfilesEachDeviceOncePerSize) {
  const auto warm = LoadModel(entry_, devices_, clock_);
  ASSERT_TRUE(warm.ok());
  std::vector<std::pair<std::string, std::size_t>> points;
  for (const ProfilePoint& point : warm->profile) points.emplace_back(point.device, point.items);
  std::vector<std::pair<std::string, std::size_t>> wanted;
  for (const char* device : {"d0", "d1"}) {
    for (std::size_t items = 1; items <= 4; ++items) wanted.emplace_back(device, items);
  }
  EXPECT_THAT(points, ::testing::UnorderedElementsAreArray(wanted));
}

TEST_F(LoadModelTest, WarmsOnThreadsPreparedLikeTheLanes) {
  ASSERT_TRUE(LoadModel(entry_, devices_, clock_).ok());
  EXPECT_GT(puppets_[0]->runs(), 0);
  EXPECT_EQ(puppets_[0]->unprepared_runs(), 0);
  EXPECT_EQ(puppets_[1]->unprepared_runs(), 0);
}

TEST_F(LoadModelTest, WarmsBelowThePriorityOfWhatServes) {
  const int own = getpriority(PRIO_PROCESS, 0);
  ASSERT_TRUE(LoadModel(entry_, devices_, clock_).ok());
  EXPECT_THAT(puppets_[0]->niceness(), ::testing::ElementsAre(std::min(own + 10, 19)));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own) << "the caller itself is left as it was";
}

TEST_F(LoadModelTest, WarmsAtFullPriorityWhileNothingServes) {
  ASSERT_TRUE(LoadModel(entry_, devices_, clock_, false).ok());
  EXPECT_THAT(puppets_[0]->niceness(), ::testing::ElementsAre(getpriority(PRIO_PROCESS, 0)));
}

TEST_F(LoadModelTest, AFailureOfOneDeviceFailsTheModel) {
  puppets_[1]->failures["m"] = Status::InvalidArgument("no TorchScript file");
  EXPECT_EQ(LoadModel(entry_, devices_, clock_).status().message(), "no TorchScript file");
}

TEST_F(LoadModelTest, RefusesANetworkThatDoesNotFitTheLabels) {
  puppets_[0]->outputs["m"] = 5;
  const auto warm = LoadModel(entry_, devices_, clock_);
  EXPECT_EQ(warm.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(warm.status().message(), "m/labels.txt names 3 labels, but the network gives 5 scores");
}

}  // namespace
}  // namespace xcloud
