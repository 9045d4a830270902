// The whole comparison: figures that must hold whatever is tuned, and the three outputs.

#include "bench/policies/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

Scenario Standard(const std::string& name) {
  for (const Scenario& scenario : StandardScenarios()) {
    if (scenario.name == name) return scenario;
  }
  ADD_FAILURE() << "no scenario " << name;
  return {};
}

PolicyKind Policy(const std::string& name) {
  for (const PolicyKind& policy : ComparedPolicies()) {
    if (policy.name == name) return policy;
  }
  ADD_FAILURE() << "no policy " << name;
  return {};
}

LoadPoint Point(const std::string& scenario, const std::string& policy, double load) {
  StudyOptions options;
  options.seeds = 2;
  return MeasurePoint(options, Standard(scenario), Policy(policy), load);
}

StudyOptions Small() {
  StudyOptions options;
  options.seeds = 2;
  options.requests = 400;
  options.scenarios = {Standard("h100"), Standard("shared-cpu")};
  options.scenarios[0].title = "a < b & \"c\"";
  options.scenarios[1].jitter = 0.1;
  return options;
}

Conditions Known() {
  Conditions conditions;
  conditions.date = "2026-11-24T00:00:00Z";
  conditions.version = "0.1.0";
  conditions.compiler = "g++ <12>";
  conditions.build_type = "Release";
  return conditions;
}

TEST(ScenarioTest, CapacityIsTheBestOfTheLanes) {
  EXPECT_NEAR(Standard("h100").CapacityPerSecond(), 64 / 2.92 * 1e3, 1e-6);
  EXPECT_NEAR(Standard("two-gpus").CapacityPerSecond(), 2 * 64 / 72.0 * 1e3, 1e-6);
  Scenario worse = Standard("h100");
  worse.times = *BatchTimes::Parse("1:10,2:100");  // batching hurts: one by one is the most
  EXPECT_NEAR(worse.CapacityPerSecond(), 100, 1e-6);
}

TEST(BatchTimesTest, ReadsAMeasuredTable) {
  const Result<BatchTimes> times = BatchTimes::Parse("2:20,4:30.5,8:30");
  ASSERT_TRUE(times.ok()) << times.status().message();
  EXPECT_DOUBLE_EQ(times->Ms(1), 20);
  EXPECT_DOUBLE_EQ(times->Ms(2), 20);
  EXPECT_DOUBLE_EQ(times->Ms(3), 25.25);
  EXPECT_DOUBLE_EQ(times->Ms(4), 30.5);
  EXPECT_DOUBLE_EQ(times->Ms(16), 30) << "no batch gets faster for being larger than measured";
  EXPECT_DOUBLE_EQ(BatchTimes::Affine(8, 1).Ms(64), 72);
  EXPECT_DOUBLE_EQ(BatchTimes::Parse("3:7")->Ms(9), 7);
}

TEST(BatchTimesTest, RefusesWhatIsNoTable) {
  for (const char* bad : {"", "1", "1:", ":5", "0:5", "1:0", "1:-2", "1:nan", "1:inf", "2:5,1:6",
                          "1:5,1:6", "1:5,,2:6", "1:5;2:6", "x:5"}) {
    EXPECT_FALSE(BatchTimes::Parse(bad).ok()) << bad;
  }
}

TEST(ScenarioTest, ArrivalsComeAtTheLoadAndSpreadOverTheModels) {
  const Scenario scenario = Standard("shared-gpu");
  const std::vector<SimRequest> arrivals = MakeArrivals(scenario, 0.5, 40'000, 3);
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 40'000, 800);
  std::vector<double> of_model(scenario.models);
  for (const SimRequest& request : arrivals) of_model[request.model] += 1;
  for (const double count : of_model) EXPECT_NEAR(count, 5'000, 300);
  EXPECT_EQ(arrivals[7].deadline - arrivals[7].arrival, std::chrono::milliseconds(20));
}

TEST(StudyTest, TakeAllCollapsesUnderOverloadAndOursDoesNot) {
  const double take_all = Point("h100", "take-all", 1.3).in_slo;
  const double ours = Point("h100", "ours", 1.3).in_slo;
  EXPECT_LT(take_all, 0.15);
  EXPECT_GT(ours, 0.65);
  EXPECT_LE(ours, 1 / 1.3 + 0.02) << "more than the lanes can do";
  EXPECT_LT(Point("h100", "no-batching", 0.7).in_slo, 0.05);
}

TEST(StudyTest, OursServesEverybodyAtHalfLoadAsFastAsTakeAll) {
  for (const char* scenario : {"h100", "two-gpus", "cpu-resnet18", "cpu-densenet121"}) {
    const LoadPoint ours = Point(scenario, "ours", 0.5);
    EXPECT_GT(ours.in_slo, 0.99) << scenario;
    EXPECT_LT(ours.mean_ms, 1.05 * Point(scenario, "take-all", 0.5).mean_ms) << scenario;
  }
}

TEST(StudyTest, WaitingCostsLatencyWhenThereAreFew) {
  const double ours = Point("two-gpus", "ours", 0.2).mean_ms;
  EXPECT_GT(Point("two-gpus", "delay-40", 0.2).mean_ms, 2 * ours);
  EXPECT_GT(Point("two-gpus", "ours-defer", 0.2).mean_ms, 2 * ours);
}

TEST(StudyTest, GoodputIsTheLoadAtWhichTheShareFalls) {
  StudyOptions options;
  options.requests = 2'000;
  options.seeds = 1;
  options.scenarios = {Standard("cpu-resnet18")};
  const PolicyKind policy = Policy("take-all");
  const Study study = RunStudy(options, {policy});
  const double goodput = study.scenarios[0].policies[0].goodput;
  EXPECT_GT(goodput, kLowLoad);
  EXPECT_LT(goodput, 1);
  EXPECT_GE(MeasurePoint(options, options.scenarios[0], policy, goodput).in_slo, kGoodShare);
  EXPECT_LT(MeasurePoint(options, options.scenarios[0], policy, goodput + 0.01).in_slo, kGoodShare);
}

TEST(StudyTest, TheSameOptionsGiveTheSameFigures) {
  const std::string first = StudyJson(RunStudy(Small(), ComparedPolicies()), Known());
  EXPECT_EQ(first, StudyJson(RunStudy(Small(), ComparedPolicies()), Known()));
  StudyOptions other = Small();
  other.first_seed = 77;
  EXPECT_NE(first, StudyJson(RunStudy(other, ComparedPolicies()), Known()));
}

TEST(StudyTest, TheTextTellsFiguresAndConditions) {
  const std::string text = StudyText(RunStudy(Small(), ComparedPolicies()), Known());
  EXPECT_THAT(text, HasSubstr("a simulation, not a measurement"));
  EXPECT_THAT(text, HasSubstr("Seeds 1 to 2, about 400 Poisson arrivals"));
  EXPECT_THAT(text, HasSubstr("Capacity = lanes x max over b <= max_batch of b / l(b)"));
  EXPECT_THAT(text, HasSubstr("6 models, l(b) = 12 + 55 b ms, SLO 500 ms, max_batch 16, batch "
                              "times +- 10 %; capacity 17.9/s"));
  for (const PolicyKind& policy : ComparedPolicies()) {
    EXPECT_THAT(text, HasSubstr("| " + policy.label + " | "));
  }
}

TEST(StudyTest, TheJsonHoldsEveryPoint) {
  const Json json = Json::parse(StudyJson(RunStudy(Small(), ComparedPolicies()), Known()));
  ASSERT_EQ(json["scenarios"].size(), 2U);
  const Json& policies = json["scenarios"][1]["policies"];
  ASSERT_EQ(policies.size(), ComparedPolicies().size());
  EXPECT_EQ(policies[0]["name"], "ours");
  EXPECT_EQ(policies[0]["points"].size(), StudyOptions().loads.size());
  EXPECT_GT(policies[0]["points"][0]["in_slo"], 0.9);
}

// Enough of XML for what we write: one root, tags that nest, quoted attributes, escaped text.
std::string WhyNotWellFormed(const std::string& xml) {
  std::vector<std::string> open;
  std::size_t roots = 0;
  for (std::size_t at = 0; at < xml.size();) {
    if (xml[at] != '<') {
      if (xml[at] == '>') return "a bare > in text";
      if (xml[at] == '&' && xml.find(';', at) > at + 5) return "a bare & in text";
      ++at;
      continue;
    }
    std::size_t end = at;
    bool quoted = false;
    for (; end < xml.size() && (quoted || xml[end] != '>'); ++end) {
      if (xml[end] == '"') quoted = !quoted;
      if (quoted && xml[end] == '<') return "a < in an attribute";
    }
    if (end == xml.size()) return "a tag without an end";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.starts_with("?")) continue;
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "closes " + tag;
      open.pop_back();
      continue;
    }
    if (std::count(tag.begin(), tag.end(), '=') * 2 != std::count(tag.begin(), tag.end(), '"')) {
      return "attributes of " + tag;
    }
    roots += open.empty() ? 1 : 0;
    if (!tag.ends_with("/")) open.push_back(tag.substr(0, tag.find(' ')));
  }
  if (!open.empty()) return "leaves open " + open.back();
  return roots == 1 ? "" : "not one root";
}

TEST(StudyTest, ThePlotIsWellFormedAndHoldsAPanelAScenarioAndALineAPolicy) {
  const std::string svg = StudySvg(RunStudy(Small(), ComparedPolicies()), Known());
  EXPECT_EQ(WhyNotWellFormed(svg), "");
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; &quot;c&quot;"));
  EXPECT_THAT(svg, HasSubstr("Simulated, not measured"));
  std::size_t lines = 0;
  for (std::size_t at = svg.find("<polyline"); at != std::string::npos;
       at = svg.find("<polyline", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 2 * ComparedPolicies().size());
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(StudyTest, TheCheckOfThePlotSeesWhatIsWrong) {
  for (const char* bad : {"<a><b></a></b>", "<a>", "<a/><b/>", "<a>x & y</a>", "<a b=\"1></a>",
                          "<a b=\"<\"/>", "<a>></a>"}) {
    EXPECT_NE(WhyNotWellFormed(bad), "") << bad;
  }
}

}  // namespace
}  // namespace xcloud
