#include "models/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace xcloud {
namespace {

std::vector<int> Indices(const std::vector<ScoredClass>& classes) {
  std::vector<int> indices;
  for (const ScoredClass& one : classes) indices.push_back(one.index);
  return indices;
}

TEST(TopKTest, OrdersByFallingProbabilityThenByIndex) {
  const std::vector<float> scores = {0.1F, 0.4F, 0.1F, 0.4F};
  const auto best = TopK(scores, Activation::kNone, 3);
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(Indices(*best), (std::vector<int>{1, 3, 0}));
  EXPECT_EQ((*best)[0].probability, 0.4F);
}

TEST(TopKTest, GivesAllWhenMoreAreAskedForThanThereAre) {
  const std::vector<float> scores = {0.2F, 0.8F};
  EXPECT_EQ(Indices(*TopK(scores, Activation::kNone, 1000)), (std::vector<int>{1, 0}));
}

TEST(TopKTest, SoftmaxAgreesWithDoublePrecision) {
  std::mt19937 random(5);
  std::normal_distribution<float> logit(0.0F, 4.0F);
  for (int round = 0; round < 20; ++round) {
    std::vector<float> scores(1000);
    std::generate(scores.begin(), scores.end(), [&] { return logit(random); });
    const double highest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (const float score : scores) sum += std::exp(score - highest);
    const auto best = TopK(scores, Activation::kSoftmax, scores.size());
    ASSERT_TRUE(best.ok());
    double total = 0;
    for (const ScoredClass& one : *best) {
      const double wanted = std::exp(scores[static_cast<std::size_t>(one.index)] - highest) / sum;
      EXPECT_NEAR(one.probability, wanted, wanted * 1e-6 + 1e-12);
      total += one.probability;
    }
    EXPECT_NEAR(total, 1.0, 1e-5);
  }
}

TEST(TopKTest, SoftmaxSurvivesHugeLogits) {
  const std::vector<float> scores = {3e38F, -3e38F, 3e38F};
  const auto best = TopK(scores, Activation::kSoftmax, 3);
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(Indices(*best), (std::vector<int>{0, 2, 1}));
  EXPECT_FLOAT_EQ((*best)[0].probability, 0.5F);
  EXPECT_EQ((*best)[2].probability, 0.0F);
}

TEST(TopKTest, RefusesScoresThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const Activation activation : {Activation::kSoftmax, Activation::kNone}) {
      const std::vector<float> scores = {0.5F, bad, 0.1F};
      EXPECT_EQ(TopK(scores, activation, 2).status().code(), StatusCode::kInternal);
    }
  }
}

TEST(ProbabilitiesTest, AreThoseOfTopKInTheOrderOfTheScores) {
  const std::vector<float> scores = {0.5F, -3.0F, 4.0F, 0.5F};
  for (const Activation activation : {Activation::kSoftmax, Activation::kNone}) {
    std::vector<float> all(4, -1.0F);
    ASSERT_TRUE(Probabilities(scores, activation, all).ok());
    const auto best = TopK(scores, activation, 4);
    for (const ScoredClass& one : *best) {
      EXPECT_NEAR(all[static_cast<std::size_t>(one.index)], one.probability, 1e-6);
    }
  }
}

TEST(ProbabilitiesTest, LargeLogitsDoNotOverflowAndWhatIsNotFiniteIsRefused) {
  std::vector<float> all(2);
  ASSERT_TRUE(Probabilities(std::vector<float>{3e38F, -3e38F}, Activation::kSoftmax, all).ok());
  EXPECT_EQ(all, (std::vector<float>{1.0F, 0.0F}));
  const std::vector<float> wrong = {1.0F, std::numeric_limits<float>::infinity()};
  EXPECT_EQ(Probabilities(wrong, Activation::kNone, all).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace xcloud
