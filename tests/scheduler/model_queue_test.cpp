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
    auto request = std::make_shared<PuppetRequest>(ledger_);
    const std::size_t id = request->id();
    request->items = push.items;
    request->priority = push.priority;
    request->arrival = AtMs(push.arrival_ms);
    if (push.deadline_ms) request->deadline = Deadline::At(AtMs(*push.deadline_ms));
    ScheduledRequestPtr moved = std::move(request);
    EXPECT_TRUE(queue_.TryPush(moved, AtMs(push.arrival_ms), kPatience));
    return id;
  }
  static std::vector<std::size_t> Ids(const std::vector<Waiting>& waiting) {
    std::vector<std::size_t> ids;
    for (const Waiting& one : waiting) {
      ids.push_back(static_cast<const PuppetRequest&>(*one.part.request).id());
    }
    return ids;
  }

  static constexpr Duration kPatience = std::chrono::seconds(1);
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
  ScheduledRequestPtr two = std::make_shared<PuppetRequest>(ledger_);
  two->items = 2;
  EXPECT_FALSE(queue_.TryPush(two, AtMs(0), kPatience));
  EXPECT_NE(two, nullptr);
  EXPECT_EQ(queue_.items(), 7U);
  ScheduledRequestPtr one = std::make_shared<PuppetRequest>(ledger_);
  EXPECT_TRUE(queue_.TryPush(one, AtMs(0), kPatience));
  EXPECT_EQ(one, nullptr);
  EXPECT_EQ(queue_.items(), 8U);
}

TEST_F(ModelQueueTest, TakesOneByItsKeyAndGivesTheRoomBack) {
  Push({.arrival_ms = 0});
  const std::size_t second = Push({.arrival_ms = 1, .items = 3});
  const auto& normal = queue_.InClass(1);
  const Waiting taken = queue_.Take(std::next(normal.begin())->first);
  EXPECT_EQ(static_cast<PuppetRequest&>(*taken.part.request).id(), second);
  EXPECT_EQ(taken.enqueued, AtMs(1));
  EXPECT_EQ(queue_.items(), 1U);
  EXPECT_EQ(queue_.size(), 1U);
}

TEST_F(ModelQueueTest, WhoHasNoDeadlineIsDueAfterThePatience) {
  const std::size_t endless = Push({.arrival_ms = 0});
  const std::size_t before = Push({.arrival_ms = 1, .deadline_ms = 999});
  const std::size_t after = Push({.arrival_ms = 1, .deadline_ms = 1001});
  EXPECT_EQ(queue_.deadlines().size(), 2U);
  EXPECT_THAT(Ids(queue_.TakeAll()), ElementsAre(before, endless, after));
  EXPECT_TRUE(queue_.deadlines().empty());
}

TEST_F(ModelQueueTest, TakingSomeItemsLeavesTheRestInItsPlace) {
  const std::size_t id = Push({.deadline_ms = 5, .items = 5});
  const WaitingKey key = queue_.InClass(1).begin()->first;
  const Waiting front = queue_.Take(key, 2);
  EXPECT_EQ(front.part.first, 0U);
  EXPECT_EQ(front.part.items, 2U);
  EXPECT_EQ(queue_.items(), 3U);
  EXPECT_EQ(queue_.ItemsInClass(1), 3U);
  EXPECT_EQ(queue_.size(), 1U);
  const Waiting rest = queue_.Take(key, 3);
  EXPECT_EQ(rest.part.first, 2U);
  EXPECT_EQ(static_cast<PuppetRequest&>(*rest.part.request).id(), id);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ModelQueueTest, PartsComeBackAsAGroupEvenIntoAFullQueue) {
  Push({.arrival_ms = 0, .items = 4});
  Push({.arrival_ms = 1, .items = 4});
  std::vector<Waiting> taken;
  taken.push_back(queue_.Take(queue_.InClass(1).begin()->first));
  Push({.arrival_ms = 2, .items = 4});
  queue_.PushBack(std::move(taken), /*grouped=*/true, kPatience);
  EXPECT_EQ(queue_.items(), 12U);
  EXPECT_FALSE(queue_.HasRoom(1));
  const auto& [key, first] = *queue_.InClass(1).begin();
  EXPECT_NE(first.group, 0U);
  EXPECT_EQ(queue_.Group(first.group).size(), 1U);
}

TEST_F(ModelQueueTest, ASmallerCapacityLosesNothing) {
  Push({.items = 6});
  queue_.SetCapacity(2);
  EXPECT_EQ(queue_.items(), 6U);
  EXPECT_FALSE(queue_.HasRoom(1));
}

}  // namespace
}  // namespace xcloud
