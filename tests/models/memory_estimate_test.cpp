#include "models/memory_estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = 1 << 20;

TEST(MemoryEstimateTest, CountsWeightsOnceAndTheRestByLane) {
  const MemoryNeed need = EstimateMemory(10 * kMiB, kMiB, 4, {2, 4});
  EXPECT_EQ(need.weights, 30 * kMiB);
  EXPECT_EQ(need.staging, 16 * kMiB);
  EXPECT_EQ(need.activations, 128 * kMiB);
  EXPECT_EQ(need.total(), 174 * kMiB);
}

class MemoryRoomTest : public ::testing::Test {
 protected:
  MemoryRoomTest() {
    root_.Write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:     2048 kB\n");
    root_.Write("proc/self/status", "Name:\tx\nVmRSS:\t    512 kB\n");
  }
  void Group(const std::string& path, const std::string& max, const std::string& current,
             const std::string& stat = "") const {
    const std::string folder = "sys/fs/cgroup/" + path;
    root_.Write(folder + "memory.max", max + "\n");
    root_.Write(folder + "memory.current", current + "\n");
    root_.Write(folder + "memory.stat", stat);
  }
  const TempFolder root_;
};

TEST_F(MemoryRoomTest, ReadsTheMachineAndTheProcess) {
  const MemoryRoom room = ReadMemoryRoom(root_.path());
  EXPECT_EQ(room.machine, 2 * kMiB);
  EXPECT_EQ(room.process, kMiB / 2);
  EXPECT_EQ(room.cgroup, UINT64_MAX) << "no cgroup bounds it";
}

TEST_F(MemoryRoomTest, TheNarrowestCgroupCounts) {
  root_.Write("proc/self/cgroup", "1:name=x:/other\n0::/a/b\n");
  Group("a/b/", "max", "100");
  EXPECT_EQ(ReadMemoryRoom(root_.path()).cgroup, UINT64_MAX);
  Group("a/", "1000", "700", "anon 600\ninactive_file 50\n");
  EXPECT_EQ(ReadMemoryRoom(root_.path()).cgroup, 350U) << "of a parent";
  Group("a/b/", "500", "480", "");
  EXPECT_EQ(ReadMemoryRoom(root_.path()).cgroup, 20U);
  Group("a/b/", "500", "600", "");
  EXPECT_EQ(ReadMemoryRoom(root_.path()).cgroup, 0U);
}

TEST(CheckMemoryTest, RefusesWithFigures) {
  const MemoryNeed need = EstimateMemory(10 * kMiB, kMiB, 1, {1, 1});  // 30 + 1 + 16
  MemoryRoom room;
  room.process = 100 * kMiB;
  EXPECT_TRUE(CheckMemory("m/2", need, room, 0).ok());
  EXPECT_TRUE(CheckMemory("m/2", need, room, 147).ok());
  const Status over = CheckMemory("m/2", need, room, 146);
  EXPECT_EQ(over.code(), StatusCode::kUnavailable);
  EXPECT_EQ(over.message(),
            "m/2 needs about 47 MiB (weights 30 MiB, staging 1 MiB, activations 16 MiB); the "
            "process holds 100 MiB, and [repository] memory_limit_mb is 146");
  room.cgroup = 46 * kMiB;
  EXPECT_THAT(CheckMemory("m/2", need, room, 0).message(), HasSubstr("cgroup leaves 46 MiB"));
  room.cgroup = UINT64_MAX;
  room.machine = 46 * kMiB;
  EXPECT_THAT(CheckMemory("m/2", need, room, 0).message(), HasSubstr("the machine has 46 MiB"));
}

TEST(MemoryEstimateTest, OpenVinoLanesHaveWeightsOfTheirOwn) {
  MemoryLanes lanes{2, 4};
  lanes.weight_copies = 2;
  EXPECT_EQ(EstimateMemory(10 * kMiB, kMiB, 4, lanes).weights, 60 * kMiB);
}

TEST(MemoryReservationsTest, NoTwoLoadsCountOnTheSameMemory) {
  MemoryRoom room;
  room.machine = 100 * kMiB;
  MemoryReservations memory([&] { return room; });
  const MemoryNeed need{60 * kMiB, 0, 0};
  auto first = memory.TryReserve("a/1", need, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(memory.TryReserve("b/1", need, 0).status().message(),
              HasSubstr("the machine has 40 MiB left"));
  EXPECT_FALSE(memory.TryReserve("b/1", {1, 0, 0}, 60).ok()) << "and so with memory_limit_mb";
  EXPECT_TRUE(memory.TryReserve("c/1", {40 * kMiB, 0, 0}, 0).ok());
  first = Status::Internal("ended");
  EXPECT_TRUE(memory.TryReserve("b/1", need, 0).ok());
}

TEST(MemoryReservationsTest, ALoadWaitsForTheOthersBeforeItIsRefused) {
  MemoryRoom room;
  room.machine = 100 * kMiB;
  std::promise<void> asked_twice;
  int asked = 0;  // under the lock of `memory`
  MemoryReservations memory([&] {
    if (++asked == 2) asked_twice.set_value();
    return room;
  });
  const MemoryNeed need{60 * kMiB, 0, 0};
  auto first = memory.Reserve("a/1", need, 0);
  ASSERT_TRUE(first.ok());
  Status second;
  std::thread other([&] { second = memory.Reserve("b/1", need, 0).status(); });
  asked_twice.get_future().wait();
  first = Status::Internal("ended");
  other.join();
  EXPECT_TRUE(second.ok()) << second.message();
  EXPECT_EQ(memory.Reserve("c/1", {101 * kMiB, 0, 0}, 0).status().code(), StatusCode::kUnavailable)
      << "nobody is left to wait for";
}

}  // namespace
}  // namespace xcloud
