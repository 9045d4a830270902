#include "http/body_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace xcloud {
namespace {

TEST(BodyPoolTest, ASlotThatIsGivenBackIsTakenAgain) {
  BodyPool pool;
  const char* first = nullptr;
  {
    const BodySlotPtr slot = pool.Take(1000);
    first = slot->data();
    EXPECT_EQ(slot->capacity(), BodyPool::kSlotBytes);
    EXPECT_EQ(pool.free_slots(), 0U);
  }
  EXPECT_EQ(pool.free_slots(), 1U);
  EXPECT_EQ(pool.Take(2000)->data(), first);
}

TEST(BodyPoolTest, ALargeBodyHasMemoryOfItsOwnThatIsNotKept) {
  BodyPool pool;
  EXPECT_EQ(pool.Take(BodyPool::kSlotBytes + 1)->capacity(), BodyPool::kSlotBytes + 1);
  EXPECT_EQ(pool.free_slots(), 0U);
}

TEST(BodyPoolTest, KeepsABoundedNumberOfFreeSlots) {
  BodyPool pool;
  std::vector<BodySlotPtr> slots;
  for (std::size_t i = 0; i < BodyPool::kMaxFree + 5; ++i) slots.push_back(pool.Take(1));
  slots.clear();
  EXPECT_EQ(pool.free_slots(), BodyPool::kMaxFree);
}

TEST(BodyPoolTest, APieceOfASlotMayOutliveThePool) {
  SharedBytes piece;
  {
    BodyPool pool;
    const BodySlotPtr slot = pool.Take(3);
    slot->data()[0] = 'a';
    piece = SharedBytes(slot, {slot->data(), 1});
  }
  EXPECT_EQ(piece, "a");
}

}  // namespace
}  // namespace xcloud
