#include "models/optimize/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

VariantReport Timed(const std::string& name, double alone, double batched) {
  VariantReport variant;
  variant.name = name;
  variant.files = {{"f", "0"}};
  // The layout of one lane does not decide, and tells the contrary.
  variant.timings = {{2, 1, 1, 1, alone}, {2, 1, 4, 1, batched}, {1, 2, 1, 1, 1000 / alone}};
  return variant;
}

OptimizeReport TwoVariants() {
  OptimizeReport report;
  report.photos = 100;
  report.reference = Timed("torchscript", 10, 20);
  report.variants = {Timed("openvino fp32", 15, 26), Timed("openvino int8", 30, 60)};
  report.variants[1].max_error = 0.2;
  report.variants[1].top1_agreement = 0.995;
  return report;
}

DecisionRules Rules() {
  DecisionRules rules;
  rules.layout = {2, 1};
  return rules;
}

TEST(DecideTest, GainIsTheSmallestOverTheBatchesOfTheLayout) {
  const OptimizeReport report = TwoVariants();
  EXPECT_NEAR(Gain(report.variants[0], report.reference, {2, 1}), 0.3, 1e-9);
  EXPECT_NEAR(Gain(report.variants[1], report.reference, {2, 1}), 2.0, 1e-9);
}

TEST(DecideTest, TheFastestThatKeepsTheRulesIsChosen) {
  OptimizeReport report = TwoVariants();
  Decide(Rules(), report);
  EXPECT_EQ(report.chosen, "openvino fp32");
  EXPECT_THAT(report.why, HasSubstr("30 % faster"));
  EXPECT_THAT(report.why, HasSubstr("--allow-int8")) << "what was left lying is told";

  DecisionRules rules = Rules();
  rules.allow_int8 = true;
  Decide(rules, report);
  EXPECT_EQ(report.chosen, "openvino int8");
  EXPECT_EQ(report.ChosenVariant()->name, "openvino int8");
}

TEST(DecideTest, AQuantisedVariantNeedsAgreementOnEnoughPhotos) {
  DecisionRules rules = Rules();
  rules.allow_int8 = true;
  OptimizeReport report = TwoVariants();
  report.variants[1].top1_agreement = 0.989;
  Decide(rules, report);
  EXPECT_EQ(report.chosen, "openvino fp32");
  EXPECT_THAT(report.why, HasSubstr("98.9 %"));

  report = TwoVariants();
  report.photos = 49;
  Decide(rules, report);
  EXPECT_EQ(report.chosen, "openvino fp32");
  EXPECT_THAT(report.why, HasSubstr("49 photos are too few"));
}

TEST(DecideTest, TheReferenceStaysWhereNothingIsBetter) {
  OptimizeReport report = TwoVariants();
  report.variants.pop_back();
  report.variants[0].max_error = 2e-3;
  Decide(Rules(), report);
  EXPECT_EQ(report.chosen, kReferenceName);
  EXPECT_EQ(report.ChosenVariant(), nullptr);

  report = TwoVariants();
  report.variants.pop_back();
  DecisionRules demanding = Rules();
  demanding.min_gain = 0.31;
  Decide(demanding, report);
  EXPECT_EQ(report.chosen, kReferenceName);

  report = TwoVariants();
  for (VariantReport& variant : report.variants) variant.trouble = "not built";
  Decide(Rules(), report);
  EXPECT_EQ(report.chosen, kReferenceName);
}

ModelDefinition Labels(std::size_t count) {
  ModelDefinition model;
  model.name = "m";
  model.labels.resize(count, "x");
  model.activation = Activation::kNone;
  return model;
}

TEST(DecideTest, ComparesProbabilitiesOfTheItemsThatCount) {
  const std::vector<float> reference = {0.6F, 0.4F, 0.1F, 0.9F, 0.5F, 0.5F};
  const std::vector<float> variant = {0.5F, 0.5F, 0.6F, 0.4F, 0.45F, 0.55F};
  const std::vector<std::size_t> all = {0, 1, 2};
  const auto difference = Compare(Labels(2), reference, variant, all);
  ASSERT_TRUE(difference.ok());
  EXPECT_NEAR(difference->max_error, 0.5, 1e-6);
  EXPECT_NEAR(difference->top1_agreement, 1.0 / 3, 1e-9);

  const std::vector<std::size_t> first = {0};
  EXPECT_NEAR(Compare(Labels(2), reference, variant, first)->max_error, 0.1, 1e-6);
}

TEST(DecideTest, ValuesAreComparedAsAShareOfTheLargest) {
  ModelDefinition model;
  model.values_output = TensorSpec{"v", DataType::kFp32, {-1, 2}};
  const std::vector<float> reference = {-200, 10, 100, 50};
  const std::vector<float> variant = {-200, 12, 100, 50};
  const std::vector<std::size_t> all = {0, 1};
  const auto difference = Compare(model, reference, variant, all);
  ASSERT_TRUE(difference.ok());
  EXPECT_NEAR(difference->max_error, 0.01, 1e-9);
  EXPECT_EQ(difference->top1_agreement, 1);
}

TEST(DecideTest, ScoresThatAreNoNumbersAreNotCompared) {
  const std::vector<float> reference = {0.6F, 0.4F};
  const std::vector<float> variant = {NAN, 0.4F};
  const std::vector<std::size_t> all = {0};
  EXPECT_FALSE(Compare(Labels(2), reference, variant, all).ok());
}

}  // namespace
}  // namespace xcloud
