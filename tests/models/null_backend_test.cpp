#include "models/null_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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
    auto networks = MakeNullNetworks(model_, 1, [this](Duration time) { slept_.push_back(time); });
    EXPECT_TRUE(networks.ok()) << networks.status().ToString();
    return std::move((*networks)[0]);
  }

  std::vector<float> Run(Network& network, std::size_t items) {
    return RunPadded(network, items, items);
  }
  std::vector<float> RunPadded(Network& network, std::size_t items, std::size_t run_items) {
    const std::vector<NetworkItem> pixels(items);  // it looks at nothing
    std::vector<float> scores(run_items * network.output_size(), -1.0F);
    EXPECT_TRUE(network.Run(0, pixels, run_items, scores.data()).ok());
    return scores;
  }

  ModelDefinition model_;
  std::vector<Duration> slept_;
};

TEST_F(NullBackendTest, ABatchTakesBaseAndItemTimes) {
  model_.null_backend = {2.0, 0.5};
  auto network = Make();
  Run(*network, 1);
  Run(*network, 4);
  EXPECT_THAT(slept_, ElementsAre(std::chrono::microseconds(2500), milliseconds(4)));
}

TEST_F(NullBackendTest, PaddingCostsTimeAndGetsNoScores) {
  model_.null_backend = {2.0, 0.5};
  auto network = Make();
  const std::vector<float> scores = RunPadded(*network, 1, 4);
  EXPECT_THAT(slept_, ElementsAre(milliseconds(4)));
  EXPECT_EQ(std::count(scores.begin(), scores.end(), -1.0F), 9);
}

TEST_F(NullBackendTest, TwoSlotsAreStagedBeforeTheFirstIsCollected) {
  model_.null_backend = {0.0, 1.0};
  auto network = Make();
  const std::vector<NetworkItem> items(3);
  std::vector<float> scores(9);
  ASSERT_TRUE(network->Stage(0, std::span(items).first(1), 1).ok());
  ASSERT_TRUE(network->Stage(1, items, 3).ok());
  ASSERT_TRUE(network->Collect(0, scores.data()).ok());
  ASSERT_TRUE(network->Collect(1, scores.data()).ok());
  EXPECT_THAT(slept_, ElementsAre(milliseconds(1), milliseconds(3)));
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
  auto networks = MakeNullNetworks(model_, 3);
  ASSERT_TRUE(networks.ok());
  EXPECT_EQ(networks->size(), 3U);
}

TEST_F(NullBackendTest, RefusesNoLabelsAndNegativeTimes) {
  model_.null_backend.item_ms = -1;
  EXPECT_THAT(MakeNullNetworks(model_, 1).status().message(), HasSubstr("negative"));
  model_.labels.clear();
  EXPECT_THAT(MakeNullNetworks(model_, 1).status().message(), HasSubstr("labels"));
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
