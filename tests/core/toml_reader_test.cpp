#include "core/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TomlReaderTest : public ::testing::Test {
 protected:
  // Reads `text` through `visit` and returns the errors.
  template <class Visit>
  std::vector<std::string> Read(const std::string& text, Visit visit) {
    const Result<toml::table> table = ParseToml(text, "f.toml");
    std::vector<std::string> errors;
    TomlReader reader(*table, "f.toml", "s", errors);
    visit(reader);
    reader.Finish();
    return errors;
  }
  std::int64_t integer_ = 5;
  double number_ = 0.5;
  bool flag_ = false;
  std::string text_ = "old";
  std::vector<double> numbers_;
  std::vector<std::string> texts_;
};

TEST_F(TomlReaderTest, ReadsEachKind) {
  const auto errors = Read("i = 7\nn = 2\nb = true\nt = 'new'\nl = [1, 2.5]\n", [&](TomlReader& r) {
    r.Integer({"i", "", ""}, integer_, 0, 10);
    r.Number({"n", "", ""}, number_, 0, 10);
    r.Flag({"b", "", ""}, flag_);
    r.Text({"t", "", ""}, text_, {});
    r.Numbers({"l", "", ""}, numbers_, 2, 0, 10);
  });
  EXPECT_THAT(errors, IsEmpty());
  EXPECT_EQ(integer_, 7);
  EXPECT_EQ(number_, 2.0);
  EXPECT_TRUE(flag_);
  EXPECT_EQ(text_, "new");
  EXPECT_THAT(numbers_, ElementsAre(1.0, 2.5));
}

TEST_F(TomlReaderTest, ReadsAListOfTexts) {
  const auto visit = [&](TomlReader& r) { r.Texts({"t", "", ""}, texts_); };
  EXPECT_THAT(Read("t = ['a', \"b c\"]\n", visit), IsEmpty());
  EXPECT_THAT(texts_, ElementsAre("a", "b c"));
  EXPECT_THAT(Read("t = 'a'\n", visit),
              ElementsAre("f.toml:1: s.t: must be a list of texts, [\"...\"]"));
  EXPECT_THAT(Read("t = ['a', 1]\n", visit),
              ElementsAre("f.toml:1: s.t: each must be text in quotes"));
  EXPECT_THAT(texts_, ElementsAre("a", "b c")) << "a refused value must not be taken";
  EXPECT_THAT(Read("t = []\n", visit), IsEmpty());
  EXPECT_THAT(texts_, IsEmpty());
}

TEST_F(TomlReaderTest, KeepsTheDefaultOfAnAbsentKey) {
  const auto errors = Read("", [&](TomlReader& r) { r.Integer({"i", "", ""}, integer_, 0, 10); });
  EXPECT_THAT(errors, IsEmpty());
  EXPECT_EQ(integer_, 5);
}

TEST_F(TomlReaderTest, CollectsEveryErrorWithFileLineAndKey) {
  const auto errors =
      Read("i = 11\nn = 'x'\nb = 1\nt = 'z'\nl = [1]\nextra = 1\n", [&](TomlReader& r) {
        r.Integer({"i", "", ""}, integer_, 0, 10);
        r.Number({"n", "", ""}, number_, 0, 10);
        r.Flag({"b", "", ""}, flag_);
        r.Text({"t", "", ""}, text_, {"x", "y"});
        r.Numbers({"l", "", ""}, numbers_, 3, 0, 10);
      });
  EXPECT_THAT(
      errors,
      ElementsAre("f.toml:1: s.i: must be 0 to 10, is 11", "f.toml:2: s.n: must be a number",
                  "f.toml:3: s.b: must be true or false",
                  "f.toml:4: s.t: must be one of 'x' 'y', is 'z'",
                  "f.toml:5: s.l: must have 3 numbers, has 1", "f.toml:6: s.extra: unknown key"));
  EXPECT_EQ(integer_, 5) << "a refused value must not be taken";
}

TEST_F(TomlReaderTest, SuggestsTheKeyThatWasMeant) {
  const auto errors = Read("max_batsh = 1\n", [&](TomlReader& r) {
    r.Integer({"max_batch", "", ""}, integer_, 0, 10);
  });
  EXPECT_THAT(errors,
              ElementsAre("f.toml:1: s.max_batsh: unknown key; did you mean 's.max_batch'?"));
}

TEST_F(TomlReaderTest, RefusesNotANumber) {
  const auto errors = Read("n = nan\n", [&](TomlReader& r) {
    r.Number({"n", "", ""}, number_, 0, 10);
  });
  EXPECT_EQ(errors.size(), 1U);
}

TEST(ParseTomlTest, SaysWhereTheTextIsWrong) {
  const auto result = ParseToml("a = 1\nb = = 2\n", "f.toml");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), ::testing::StartsWith("f.toml:2:5: "));
}

}  // namespace
}  // namespace xcloud
