#include "models/null_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/support/fake_clock.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NullBackendTest : public ::testing::Test {
 protected:
  NullBackendTest() {
    model_.name = "null";
    model_.backend = "null";
    model_.labels = {"a", "b", "c"};
    model_.batching.max_batch = 8;
  }

  std::unique_ptr<Network> Make() {
    auto networks = MakeNullNetworks(model_, 1, clock_, [this](Duration time) {
      slept_.push_back(time);
      clock_.Advance(time);
    });
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    return std::move((*networks)[0]);
  }

  std::vector<float> Run(Network& network, std::size_t items) {
    const std::vector<const std::uint8_t*> pixels(items, nullptr);  // it looks at nothing
    std::vector<float> scores(items * network.output_size());
    EXPECT_TRUE(network.Run(pixels, scores.data(), &forward_start_).ok());
    return scores;
  }

  FakeClock clock_;
  ModelDefinition model_;
  std::vector<Duration> slept_;
  TimePoint forward_start_;
};

TEST_F(NullBackendTest, ABatchTakesBaseAndItemTimes) {
  model_.null_backend = {2.0, 0.5};
  auto network = Make();
  const TimePoint start = clock_.Now();
  Run(*network, 1);
  EXPECT_EQ(forward_start_, start);
  EXPECT_EQ(clock_.Now() - start, std::chrono::microseconds(2500));
  Run(*network, 4);
  EXPECT_THAT(slept_, ElementsAre(std::chrono::microseconds(2500), milliseconds(4)));
}

TEST_F(NullBackendTest, NoDeclaredTimeNeverSleeps) {
  auto network = Make();
  Run(*network, 8);
  EXPECT_THAT(slept_, IsEmpty());
}

TEST_F(NullBackendTest, EveryItemGetsTheSameFallingScores) {
  auto network = Make();
  const std::vector<float> scores = Run(*network, 2);
  ASSERT_EQ(scores.size(), 6U);
  EXPECT_GT(scores[0], scores[1]);
  EXPECT_GT(scores[1], scores[2]);
  EXPECT_EQ(std::vector<float>(scores.begin(), scores.begin() + 3),
            std::vector<float>(scores.begin() + 3, scores.end()));
}

TEST_F(NullBackendTest, SharesSumToOneWithAndWithoutSoftmax) {
  model_.labels.assign(1000, "label");
  model_.activation = Activation::kNone;
  const std::vector<float> shares = Run(*Make(), 1);
  EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1.0, 1e-5);
  model_.activation = Activation::kSoftmax;
  const std::vector<float> logits = Run(*Make(), 1);
  for (const std::size_t i : {0U, 1U, 999U}) EXPECT_NEAR(std::exp(logits[i]), shares[i], 1e-6);
}

TEST_F(NullBackendTest, MakesOneNetworkALane) {
  auto networks = MakeNullNetworks(model_, 3, clock_);
  ASSERT_TRUE(networks.ok());
  EXPECT_EQ(networks->size(), 3U);
}

TEST_F(NullBackendTest, RefusesNoLabelsAndNegativeTimes) {
  model_.null_backend.item_ms = -1;
  EXPECT_THAT(MakeNullNetworks(model_, 1, clock_).status().message(), HasSubstr("negative"));
  model_.labels.clear();
  EXPECT_THAT(MakeNullNetworks(model_, 1, clock_).status().message(), HasSubstr("labels"));
}

TEST_F(NullBackendTest, SleepsNoLessThanAsked) {
  const SystemClock real;
  UsePreciseTimers();
  for (const int us : {1, 50, 200}) {
    const TimePoint start = real.Now();
    SleepPrecisely(std::chrono::microseconds(us));
    EXPECT_GE(real.Now() - start, std::chrono::microseconds(us));
  }
}

}  // namespace
}  // namespace xcloud
