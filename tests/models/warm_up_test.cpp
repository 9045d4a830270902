#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/buckets.h"
#include "models/network.h"
#include "models/resize_plan.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Takes the given times, call by call at each batch size; fails at `fail_at` items.
class TimedNetwork final : public Network {
 public:
  TimedNetwork(FakeClock& clock, std::vector<int> times_ms)
      : clock_(clock), times_ms_(std::move(times_ms)) {}

  std::size_t output_size() const override { return 2; }
  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    if (items.size() == fail_at) return Status::Internal("no memory");
    EXPECT_EQ(run_items, items.size());
    if (items.back().image != nullptr) ++images;
    const std::uint8_t* pixels =
        items.back().image != nullptr ? items.back().image->image.rgb.data() : items.back().pixels;
    EXPECT_EQ(pixels[0], 128);  // readable
    if (sizes.empty() || sizes.back() != items.size()) call_ = 0;
    sizes.push_back(items.size());
    slots.push_back(slot);
    return Status::Ok();
  }
  Status Collect(std::size_t, float* scores) override {
    std::fill_n(scores, sizes.back() * 2, 1.0F);
    clock_.Advance(milliseconds(times_ms_[call_++ % times_ms_.size()]) * sizes.back());
    return Status::Ok();
  }
  Status Record(std::size_t run_items) override {
    recorded.emplace_back(run_items, sizes.size());
    clock_.Advance(milliseconds(5000));
    return record_status;
  }
  void EnterService() override { ran_before_service = sizes.size(); }

  std::vector<std::size_t> sizes;
  std::vector<std::size_t> slots;
  std::size_t images = 0;                                     // batches of decoded images
  std::vector<std::pair<std::size_t, std::size_t>> recorded;  // size, runs before it
  std::size_t ran_before_service = 0;
  Status record_status;
  std::size_t fail_at = 0;

 private:
  FakeClock& clock_;
  const std::vector<int> times_ms_;
  std::size_t call_ = 0;
};

const Device& Cpu() {
  static const PuppetDevice device("cpu0", 1);
  return device;
}
const Device& TwoSlots() {
  static PuppetDevice device("cuda0", 1);
  device.depth_of_lanes = 2;
  return device;
}

ModelDefinition Model(std::size_t max_batch) {
  ModelDefinition model;
  model.name = "m";
  model.batching.max_batch = max_batch;
  return model;
}

TEST(BucketsTest, ArePowersOfTwoAndTheLargestBatch) {
  EXPECT_THAT(BatchBuckets(1), ElementsAre(1));
  EXPECT_THAT(BatchBuckets(6), ElementsAre(1, 2, 4, 6));
  EXPECT_THAT(BatchBuckets(8), ElementsAre(1, 2, 4, 8));
  EXPECT_EQ(BucketFor(1, 6), 1U);
  EXPECT_EQ(BucketFor(3, 6), 4U);
  EXPECT_EQ(BucketFor(5, 6), 6U);
  EXPECT_EQ(BucketFor(8, 8), 8U);
  EXPECT_EQ(WarmSizeFor(3, 20), 3U);
  EXPECT_EQ(WarmSizeFor(9, 20), 16U);
  EXPECT_EQ(WarmSizeFor(17, 20), 20U);
}

TEST(WarmUpTest, EveryBucketRunsTwiceAndThenThreeTimedRuns) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  ASSERT_TRUE(WarmUp(network, Model(3), Cpu(), clock).ok());
  EXPECT_THAT(network.sizes, ElementsAre(1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3));
}

TEST(WarmUpTest, MeetsEverySmallSizeAndTheBucketsAbove) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  const auto profile = WarmUp(network, Model(20), Cpu(), clock);
  ASSERT_TRUE(profile.ok());
  std::vector<std::size_t> sizes;
  for (const ProfilePoint& point : *profile) sizes.push_back(point.items);
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 16, 20));
}

TEST(WarmUpTest, TheSlowestTimedRunCountsAndTheFirstTwoDoNot) {
  FakeClock clock;
  TimedNetwork network(clock, {4, 4, 2, 3, 2});
  auto profile = WarmUp(network, Model(2), Cpu(), clock);
  ASSERT_TRUE(profile.ok());
  ASSERT_EQ(profile->size(), 2U);
  EXPECT_EQ((*profile)[0].device, "cpu0");
  EXPECT_EQ((*profile)[0].items, 1U);
  EXPECT_EQ((*profile)[0].elapsed, milliseconds(3));
  EXPECT_EQ((*profile)[1].items, 2U);
  EXPECT_EQ((*profile)[1].elapsed, milliseconds(6));
}

TEST(WarmUpTest, ALongRunIsNotRepeatedOnAHost) {
  FakeClock clock;
  TimedNetwork network(clock, {90, 40});
  const auto profile = WarmUp(network, Model(2), Cpu(), clock);
  ASSERT_TRUE(profile.ok());
  EXPECT_THAT(network.sizes, ElementsAre(1, 1, 2, 2)) << "one to warm, one that counts";
  EXPECT_EQ((*profile)[0].elapsed, milliseconds(40)) << "the second";
}

TEST(WarmUpTest, AFurtherLaneOfAHostMeetsTheLargestSizeOnly) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  ASSERT_TRUE(WarmLane(network, Model(3), Cpu()).ok());
  EXPECT_THAT(network.sizes, ElementsAre(3));
}

TEST(WarmUpTest, LetsTheNetworkRecordEachSizeAfterItsWarmRunsAndDoesNotTimeThat) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  const auto profile = WarmUp(network, Model(2), TwoSlots(), clock);
  ASSERT_TRUE(profile.ok());
  // Four warm runs, then three timed ones, of each size.
  EXPECT_THAT(network.recorded, ElementsAre(std::pair(1, 4), std::pair(2, 11)));
  EXPECT_EQ((*profile)[1].elapsed, milliseconds(2));
  EXPECT_EQ(network.ran_before_service, 14U);
}

TEST(WarmUpTest, WarmsEverySlot) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  ASSERT_TRUE(WarmUp(network, Model(1), TwoSlots(), clock).ok());
  EXPECT_THAT(network.slots, ElementsAre(0, 0, 1, 1, 0, 1, 0));
}

TEST(WarmUpTest, DevicesThatResizeAreWarmedWithWholePhotos) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  PuppetDevice device("cuda0", 1);
  ASSERT_TRUE(WarmUp(network, Model(1), device, clock).ok());
  EXPECT_EQ(network.images, 0U);
  device.resizes = true;
  ASSERT_TRUE(WarmUp(network, Model(1), device, clock).ok());
  EXPECT_EQ(network.images, 5U) << "two warm and three timed runs";
}

TEST(WarmUpTest, AFailedRecordingFailsTheModel) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  network.record_status = Status::Internal("gone");
  EXPECT_THAT(WarmUp(network, Model(1), TwoSlots(), clock).status().message(), HasSubstr("gone"));
  EXPECT_EQ(network.ran_before_service, 0U);
}

TEST(WarmUpTest, AFailureNamesModelDeviceAndSize) {
  FakeClock clock;
  TimedNetwork network(clock, {1});
  network.fail_at = 4;
  auto profile = WarmUp(network, Model(8), Cpu(), clock);
  ASSERT_FALSE(profile.ok());
  EXPECT_THAT(profile.status().message(), AllOf(HasSubstr("'m'"), HasSubstr("4 items"),
                                                HasSubstr("cpu0"), HasSubstr("no memory")));
}

}  // namespace
}  // namespace xcloud
