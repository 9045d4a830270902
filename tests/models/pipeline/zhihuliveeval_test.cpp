// Imported Lives: files that are read strictly, scaling, and the service's answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "models/pipeline/live_table.h"
#include "tests/models/pipeline/pipeline_fixture.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

std::string Example() {
  std::ifstream in(std::string(XCLOUD_SOURCE_DIR) + "/tests/models/pipeline/example_lives.csv");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A line whose features are all `value`.
std::string Line(const std::string& id, const std::string& value) {
  std::string line = id;
  for (std::size_t i = 0; i < kLiveFeatures; ++i) line += "," + value;
  return line + "\n";
}

std::string Scaler(double least, double most) {
  std::string text = "feature,least,most\n";
  for (const std::string_view name : kLiveFeatureNames) {
    text += std::string(name) + "," + std::to_string(least) + "," + std::to_string(most) + "\n";
  }
  return text;
}

TEST(LiveTable, ReadsTheExample) {
  const auto table = LiveTable::Parse(Example(), "lives.csv");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->size(), 3U);
  ASSERT_NE(table->Find("made-up-2"), nullptr);
  EXPECT_EQ((*table->Find("made-up-2"))[0], 7200);
  EXPECT_EQ((*table->Find("made-up-2"))[19], 19.9);
  EXPECT_EQ(table->Find("made-up-4"), nullptr);
  const LiveScaler scaler = table->OwnScaler();
  EXPECT_EQ(scaler.least[0], 3600);
  EXPECT_EQ(scaler.greatest[22], 200);
  EXPECT_FLOAT_EQ(scaler.Scaled(*table->Find("made-up-3"))[0], 0.5F);
}

TEST(LiveTable, NamesEveryBadLine) {
  const std::string text = LiveHeader() + "\r\n" + Line("good", "1") + "short,1,2\n" +
                           Line("bad/id", "1") + Line("words", "many") + Line("good", "2") +
                           Line("inf", "inf") + Line("space", " 1") + "\n";
  const Status status = LiveTable::Parse(text, "lives.csv").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("lives.csv:3: has 3 fields, not 24"), HasSubstr("lives.csv:4: id"),
                    HasSubstr("lives.csv:5: duration: 'many' is no number"),
                    HasSubstr("lives.csv:6: id: is that of line 2"), HasSubstr("lives.csv:7: "),
                    HasSubstr("lives.csv:8: "), HasSubstr("lives.csv:9: has 1 fields")));
  std::string many = LiveHeader() + "\n";
  for (int i = 0; i < 30; ++i) many += "x\n";
  EXPECT_THAT(LiveTable::Parse(many, "f").status().message(), HasSubstr("and 10 more bad lines"));
}

TEST(LiveTable, RefusesAnotherHeaderAndAnEmptyFile) {
  EXPECT_THAT(LiveTable::Parse("id,name\n1,x\n", "f").status().message(),
              HasSubstr("f:1: the header must be id,duration"));
  EXPECT_FALSE(LiveTable::Parse("", "f").ok());
  EXPECT_THAT(LiveTable::Parse(LiveHeader(), "f").status().message(), HasSubstr("has no rows"));
}

TEST(LiveScaler, ReadsEachFeatureOnce) {
  const auto scaler = ParseLiveScaler(Scaler(0, 10), "s.csv");
  ASSERT_TRUE(scaler.ok()) << scaler.status().message();
  LiveFeatures features{};
  features.fill(25);
  EXPECT_THAT(scaler->Scaled(features), Each(2.5F)) << "outside the range is outside";
  EXPECT_THAT(ParseLiveScaler("feature,least,most\nduration,0,1\nduration,0,1\nx,0,1\n", "s.csv")
                  .status()
                  .message(),
              AllOf(HasSubstr("s.csv:3: is the feature of line 2"), HasSubstr("'x' is no feature"),
                    HasSubstr("are missing: reply_message_count")));
  EXPECT_FALSE(ParseLiveScaler(Scaler(3, 2), "s.csv").ok());
  const auto flat = ParseLiveScaler(Scaler(5, 5), "s.csv");
  ASSERT_TRUE(flat.ok());
  EXPECT_THAT(flat->Scaled(features), Each(0.0F));
}

class ZhihuTest : public PipelineTest {
 protected:
  ZhihuTest() {
    models_.Add("zhihu_mtnet", {23}, [](const PuppetModels::Question& question) {
      return Result<std::vector<float>>(std::vector<float>{4 + question.values.at(0)});
    });
  }
  void Serve(const std::string& scaler = "") {
    std::string keys = "features = '" + (root_.path() / "lives.csv").string() + "'\n";
    if (!scaler.empty()) {
      root_.Write("scaler.csv", scaler);
      keys += "scaler = '" + (root_.path() / "scaler.csv").string() + "'\n";
    }
    AddPipeline("zhihuliveeval", keys, "group = 'dm'\n");
    PipelineTest::Serve();
  }
  InferenceResult Rate(const std::string& id) {
    return Ask(About("zhihuliveeval", ServiceAction::kAnswer, id));
  }
};

TEST_F(ZhihuTest, RatesAnImportedLive) {
  root_.Write("lives.csv", Example());
  Serve();
  const ServiceInfoPtr info = server_->Find("zhihuliveeval");
  EXPECT_EQ(info->state, ServiceState::kReady) << info->reason;
  EXPECT_TRUE(info->takes_rows);
  EXPECT_EQ(info->route, "/dm/zhihuliveeval");
  const InferenceResult rated = Rate("made-up-3");
  ASSERT_TRUE(rated.status.ok()) << rated.status.message();
  EXPECT_EQ(*rated.value->Find("id")->text(), "made-up-3");
  EXPECT_NEAR(rated.value->Find("score")->number()->value, 4.5, 1e-6);
  EXPECT_EQ(*rated.value->Find("scaling")->text(), "rows");
  EXPECT_EQ(Rate("nobody").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(Rate("").status.code(), StatusCode::kInvalidArgument);
}

TEST_F(ZhihuTest, ScalesAsTheFileSays) {
  root_.Write("lives.csv", Example());
  Serve(Scaler(0, 54000));
  const InferenceResult rated = Rate("made-up-3");
  ASSERT_TRUE(rated.status.ok()) << rated.status.message();
  EXPECT_NEAR(rated.value->Find("score")->number()->value, 4.1, 1e-6);
  EXPECT_EQ(*rated.value->Find("scaling")->text(), "scaler");
}

TEST_F(ZhihuTest, SaysHowToImportAndReadsTheFileOnLoad) {
  Serve();
  EXPECT_EQ(server_->Find("zhihuliveeval")->state, ServiceState::kNoWeights);
  EXPECT_THAT(server_->Find("zhihuliveeval")->reason,
              AllOf(HasSubstr("lives.csv as CSV with the header id,duration"),
                    HasSubstr("load the service again")));
  EXPECT_EQ(Rate("made-up-1").status.code(), StatusCode::kUnavailable);
  root_.Write("lives.csv", LiveHeader() + "\nbroken\n");
  ASSERT_TRUE(server_->Load("zhihuliveeval", nullptr).ok());
  server_->WaitLoaded();
  EXPECT_EQ(server_->Find("zhihuliveeval")->state, ServiceState::kFailed);
  EXPECT_THAT(server_->Find("zhihuliveeval")->reason, HasSubstr("lives.csv:2: has 1 fields"));
  root_.Write("lives.csv", Example());
  ASSERT_TRUE(server_->Load("zhihuliveeval", nullptr).ok());
  server_->WaitLoaded();
  EXPECT_TRUE(Rate("made-up-1").status.ok());
  root_.Write("lives.csv", "rubbish");
  Status ended;
  ASSERT_TRUE(
      server_->Load("zhihuliveeval", [&](Status status) { ended = std::move(status); }).ok());
  server_->WaitLoaded();
  EXPECT_FALSE(ended.ok());
  EXPECT_TRUE(Rate("made-up-1").status.ok()) << "what served goes on";
  EXPECT_THAT(server_->Find("zhihuliveeval")->reason, HasSubstr("the last load failed"));
}

}  // namespace
}  // namespace xcloud
