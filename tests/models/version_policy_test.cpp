#include "models/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

struct Read {
  VersionPolicy policy;
  std::vector<std::string> errors;
};

Read ReadText(const std::string& text) {
  Read read;
  const Result<toml::table> table = ParseToml(text, "m/model.toml");
  EXPECT_TRUE(table.ok()) << table.status().message();
  TomlReader root(*table, "m/model.toml", "", read.errors);
  read.policy = ReadVersionPolicy(root, "m/model.toml", read.errors);
  root.Finish();
  return read;
}

TEST(VersionPolicyTest, ReadsTheSection) {
  const Read none = ReadText("");
  EXPECT_EQ(none.policy, VersionPolicy());
  EXPECT_THAT(none.errors, IsEmpty());
  const Read latest = ReadText("[versions]\ncount = 3\nlabels = { stable = 1, canary = 2 }\n");
  EXPECT_THAT(latest.errors, IsEmpty());
  EXPECT_EQ(latest.policy.kind, VersionPolicy::Kind::kLatest);
  EXPECT_EQ(latest.policy.count, 3U);
  EXPECT_THAT(latest.policy.labels, ElementsAre(Pair("canary", 2), Pair("stable", 1)));
  const Read listed = ReadText("[versions]\npolicy = 'listed'\nlist = [7, 2, 7]\n");
  EXPECT_EQ(listed.policy.kind, VersionPolicy::Kind::kListed);
  EXPECT_THAT(listed.policy.listed, ElementsAre(2, 7));
  EXPECT_EQ(ReadText("[versions]\npolicy = 'all'\n").policy.kind, VersionPolicy::Kind::kAll);
}

TEST(VersionPolicyTest, NamesWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"policy = 'newest'", "versions.policy: must be one of 'latest' 'all' 'listed'"},
      {"count = 0", "versions.count: must be 1 to 1000"},
      {"policy = 'all'\ncount = 2", "versions.count: only with policy"},
      {"policy = 'listed'", "versions.policy: \"listed\" needs a list"},
      {"list = [1]", "versions.list: only with policy"},
      {"policy = 'listed'\nlist = [1.5]", "versions.list: each must be a whole number"},
      {"policy = 'listed'\nlist = [0]", "versions.list: each must be a number from 1"},
      {"labels = { 2 = 1 }", "'2' is no label"},
      {"labels = { Stable = 1 }", "'Stable' is no label"},
      {"labels = { '../x' = 1 }", "'../x' is no label"},
      {"labels = { stable = 0 }", "'stable' must name a version"},
      {"labels = { stable = '1' }", "'stable' must name a version"},
      {"labels = [1]", "versions.labels: must be a section"},
      {"lables = 1", "did you mean 'versions.labels'?"},
  };
  for (const auto& [text, error] : cases) {
    const Read read = ReadText("[versions]\n" + text + "\n");
    ASSERT_EQ(read.errors.size(), 1U) << text;
    EXPECT_THAT(read.errors[0], HasSubstr(error));
    EXPECT_THAT(read.errors[0], HasSubstr("m/model.toml:"));
  }
}

TEST(VersionPolicyTest, NumbersAreWrittenOneWay) {
  EXPECT_EQ(VersionNumber("1"), 1);
  EXPECT_EQ(VersionNumber("9223372036854775807"), 9223372036854775807);
  for (const char* text : {"", "0", "01", "-1", "1x", "x", " 1", "9223372036854775808", "1.0"}) {
    EXPECT_EQ(VersionNumber(text), 0) << text;
  }
}

VersionPolicy Labelled(VersionPolicy::Kind kind) {
  VersionPolicy policy;
  policy.kind = kind;
  policy.labels = {{"stable", 1}, {"canary", 3}};
  return policy;
}

TEST(VersionPolicyTest, LatestIsTheHighestAndWhatLabelsName) {
  VersionPolicy policy;
  policy.count = 2;
  VersionPlan plan = PlanVersions(policy, {2, 10, 1});
  EXPECT_THAT(plan.must, IsEmpty());
  EXPECT_THAT(plan.newest, ElementsAre(10, 2, 1)) << "the third in case one fails";
  EXPECT_EQ(plan.count, 2U);
  plan = PlanVersions(Labelled(VersionPolicy::Kind::kLatest), {1, 2, 3, 4});
  EXPECT_THAT(plan.must, ElementsAre(1, 3)) << "what requests get by default comes first";
  EXPECT_THAT(plan.newest, ElementsAre(4, 3, 2, 1));
}

TEST(VersionPolicyTest, AllAndListedAreExact) {
  VersionPlan plan = PlanVersions(Labelled(VersionPolicy::Kind::kAll), {1, 2, 3, 4});
  EXPECT_THAT(plan.must, ElementsAre(1, 4, 3, 2));
  EXPECT_THAT(plan.newest, IsEmpty());
  VersionPolicy listed = Labelled(VersionPolicy::Kind::kListed);
  listed.listed = {2, 5};
  plan = PlanVersions(listed, {1, 2, 4});
  EXPECT_THAT(plan.must, ElementsAre(1, 2));
  EXPECT_THAT(plan.missing, ElementsAre(5, 3));
}

}  // namespace
}  // namespace xcloud
