#include "models/model_lease.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "tests/support/fake_clock.h"

namespace xcloud {
namespace {

class ModelLeaseTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  const TimePoint soon_ = clock_.Now() + std::chrono::seconds(1);
};

TEST_F(ModelLeaseTest, IsUnusedWhenTheLastCopyIsGone) {
  ModelLease lease(std::make_unique<LoadedModel>());
  lease.SetId(7);
  EXPECT_EQ(lease.id(), 7U);
  auto user = lease.Share();
  EXPECT_EQ(user->id, 7U);
  auto second = user;
  std::thread waiter([&] { EXPECT_TRUE(lease.WaitUnused(clock_, soon_)); });
  clock_.WaitForSleepers(1);
  user = nullptr;
  second = nullptr;
  waiter.join();
  EXPECT_TRUE(lease.WaitUnused(clock_, clock_.Now())) << "once unused, always unused";
}

TEST_F(ModelLeaseTest, GivesUpWhenTheTimeIsOver) {
  ModelLease lease(std::make_unique<LoadedModel>());
  const auto user = lease.Share();
  std::thread waiter([&] { EXPECT_FALSE(lease.WaitUnused(clock_, soon_)); });
  clock_.WaitForSleepers(1);
  clock_.Advance(std::chrono::seconds(1));
  waiter.join();
}

TEST_F(ModelLeaseTest, InterruptEndsTheWait) {
  ModelLease lease(std::make_unique<LoadedModel>());
  const auto user = lease.Share();
  std::thread waiter([&] { EXPECT_FALSE(lease.WaitUnused(clock_, soon_)); });
  clock_.WaitForSleepers(1);
  lease.Interrupt();
  waiter.join();
  EXPECT_FALSE(lease.WaitUnused(clock_, soon_));
}

TEST_F(ModelLeaseTest, WhoUsesItKeepsItAliveWhenTheLeaseWentFirst) {
  auto model = std::make_unique<LoadedModel>();
  model->version = "a version that does not fit into the string itself";
  auto lease = std::make_unique<ModelLease>(std::move(model));
  auto user = lease->Share();
  const std::weak_ptr<const LoadedModel> lane = user;
  lease.reset();
  EXPECT_EQ(user->version, "a version that does not fit into the string itself");
  user = nullptr;
  EXPECT_TRUE(lane.expired());
}

}  // namespace
}  // namespace xcloud
