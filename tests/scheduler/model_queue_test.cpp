#include "scheduler/model_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduler/policy_world.h"
#include "tests/support/puppet_request.h"

namespace xcloud {
namespace {

using testing::ElementsAre;

class ModelQueueTest : public testing::Test {
 protected:
  std::size_t Push(const struct Push& push) {
    auto request = std::make_unique<PuppetRequest>(ledger_);
    const std::size_t id = request->id();
    request->items = push.items;
    request->priority = push.priority;
    request->arrival = AtMs(push.arrival_ms);
    if (push.deadline_ms) request->deadline = Deadline::At(AtMs(*push.deadline_ms));
    ScheduledRequestPtr moved = std::move(request);
    EXPECT_TRUE(queue_.TryPush(moved, AtMs(push.arrival_ms)));
    return id;
  }
  static std::vector<std::size_t> Ids(const std::vector<Waiting>& waiting) {
    std::vector<std::size_t> ids;
    for (const Waiting& one : waiting) {
      ids.push_back(static_cast<const PuppetRequest&>(*one.request).id());
    }
    return ids;
  }

  RequestLedger ledger_;
  ModelQueue queue_{8};
};

TEST_F(ModelQueueTest, ServesByPriorityThenDeadlineThenArrivalThenOrderOfComing) {
  const std::size_t low = Push({.deadline_ms = 1, .priority = Priority::kLow});
  const std::size_t endless = Push({.arrival_ms = 0});
  const std::size_t later = Push({.arrival_ms = 2, .deadline_ms = 50});
  const std::size_t sooner = Push({.arrival_ms = 1, .deadline_ms = 50});
  const std::size_t same = Push({.arrival_ms = 1, .deadline_ms = 50});
  const std::size_t high = Push({.arrival_ms = 9, .priority = Priority::kHigh});
  EXPECT_THAT(Ids(queue_.TakeAll()), ElementsAre(high, sooner, same, later, endless, low));
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_EQ(queue_.items(), 0U);
}

TEST_F(ModelQueueTest, FullQueueLeavesTheRequestWithItsOwner) {
  Push({.items = 7});
  ScheduledRequestPtr two = std::make_unique<PuppetRequest>(ledger_);
  two->items = 2;
  EXPECT_FALSE(queue_.TryPush(two, AtMs(0)));
  EXPECT_NE(two, nullptr);
  EXPECT_EQ(queue_.items(), 7U);
  ScheduledRequestPtr one = std::make_unique<PuppetRequest>(ledger_);
  EXPECT_TRUE(queue_.TryPush(one, AtMs(0)));
  EXPECT_EQ(one, nullptr);
  EXPECT_EQ(queue_.items(), 8U);
}

TEST_F(ModelQueueTest, TakesOneByItsKeyAndGivesTheRoomBack) {
  Push({.arrival_ms = 0});
  const std::size_t second = Push({.arrival_ms = 1, .items = 3});
  const auto& normal = queue_.InClass(1);
  const Waiting taken = queue_.Take(std::next(normal.begin())->first);
  EXPECT_EQ(static_cast<PuppetRequest&>(*taken.request).id(), second);
  EXPECT_EQ(taken.enqueued, AtMs(1));
  EXPECT_EQ(queue_.items(), 1U);
  EXPECT_EQ(queue_.size(), 1U);
}

TEST_F(ModelQueueTest, TakeFrontTakesNoMoreThanAsked) {
  const std::size_t high = Push({.priority = Priority::kHigh});
  const std::size_t normal = Push({});
  Push({});
  EXPECT_THAT(Ids(queue_.TakeFront(2)), ElementsAre(high, normal));
  EXPECT_EQ(queue_.size(), 1U);
}

}  // namespace
}  // namespace xcloud
