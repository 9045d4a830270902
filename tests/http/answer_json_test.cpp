#include "http/answer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xcloud {
namespace {

using std::chrono::milliseconds;

InferenceResult TwoLabels() {
  InferenceResult result;
  result.model = "food";
  result.version = std::string("3");
  result.lane = "cpu0/1";
  result.batch_items = 4;
  result.predictions = {{4, "macaron", 0.91234F}, {1, "crème brûlée", 0.05F}};
  const TimePoint start{std::chrono::hours(1)};
  result.stages.first_byte = start;
  result.stages.received = start + milliseconds(1);
  result.stages.decode_start = start + milliseconds(2);
  result.stages.decode_end = start + milliseconds(4);
  result.stages.enqueued = start + milliseconds(4);
  result.stages.batch_closed = start + milliseconds(7);
  result.stages.forward_start = start + milliseconds(8);
  result.stages.forward_end = start + milliseconds(20);
  return result;
}

TEST(AnswerJsonTest, KeepsTheOriginalsOrderLabelIndexProbability) {
  AnswerForm form;
  form.label_key = "name";
  form.index_key = "category";
  EXPECT_EQ(WriteAnswer(TwoLabels(), form, {milliseconds(21), false}),
            R"({"code":0,"msg":"success","data":[{"name":"macaron","category":4,"prob":0.9123},)"
            R"({"name":"crème brûlée","category":1,"prob":0.05}],"elapse":0.021})");
}

TEST(AnswerJsonTest, LeavesTheIndexOutWhenItHasNoKey) {
  AnswerForm form;
  form.probability_key = "probability";
  form.decimals = 2;
  EXPECT_EQ(WriteAnswer(TwoLabels(), form, {milliseconds(21), false}),
            R"({"code":0,"msg":"success","data":[{"category":"macaron","probability":0.91},)"
            R"({"category":"crème brûlée","probability":0.05}],"elapse":0.021})");
}

TEST(AnswerJsonTest, BelowTheThresholdIsOneUnknown) {
  InferenceResult result;
  result.predictions = {{-1, "Unknown", 0.08F}};
  AnswerForm form;
  form.index_key = "id";
  EXPECT_EQ(WriteAnswer(result, form, {milliseconds(1), false}),
            R"({"code":0,"msg":"success","data":[{"category":"Unknown","id":-1,"prob":0.08}],)"
            R"("elapse":0.001})");
}

// The items of each route of the first XCloud, as its clients read them.
TEST(AnswerJsonTest, WritesTheItemsOfTheFirstRoutes) {
  const auto items = [](const AnswerForm& form, Prediction prediction) {
    InferenceResult result;
    result.predictions = {std::move(prediction)};
    const std::string answer = WriteAnswer(result, form, {});
    const std::size_t from = answer.find('[');
    return answer.substr(from, answer.find(']') + 1 - from);
  };
  const auto form = [](const char* label, const char* index, const char* probability) {
    AnswerForm made;
    made.label_key = label;
    made.index_key = index;
    made.probability_key = probability;
    return made;
  };
  const Prediction first{0, "稻", 0.51239F};
  const Prediction unknown{-1, "Unknown", 0.08F};
  EXPECT_EQ(items(form("name", "category", "prob"), first),
            R"([{"name":"稻","category":0,"prob":0.5124}])");
  EXPECT_EQ(items(form("name", "disease", "prob"), first),
            R"([{"name":"稻","disease":0,"prob":0.5124}])");
  EXPECT_EQ(items(form("disease", "", "probability"), first),
            R"([{"disease":"稻","probability":0.5124}])");
  EXPECT_EQ(items(form("disease", "", "probability"), unknown),
            R"([{"disease":"Unknown","probability":0.08}])");
  AnswerForm plant = form("name", "category_id", "prob");
  plant.index_base = 1;
  EXPECT_EQ(items(plant, first), R"([{"name":"稻","category_id":1,"prob":0.5124}])");
  EXPECT_EQ(items(plant, unknown), R"([{"name":"Unknown","category_id":-1,"prob":0.08}])");
  AnswerForm nsfw = form("type", "", "prob");
  nsfw.probability_first = true;
  EXPECT_EQ(items(nsfw, first), R"([{"prob":0.5124,"type":"稻"}])");
}

TEST(AnswerJsonTest, TellsTheDownloadWhereThereWasOne) {
  InferenceResult result = TwoLabels();
  AnswerOptions options{milliseconds(62), true};
  options.fetch = milliseconds(41);
  EXPECT_THAT(WriteAnswer(result, AnswerForm{}, options),
              ::testing::HasSubstr(R"("batch":4,"fetch_ms":41.0,"decode_ms":2.0,)"));
  EXPECT_EQ(ServerTiming(result.stages, milliseconds(41)),
            "fetch;dur=41.0, decode;dur=2.0, queue;dur=3.0, infer;dur=12.0");
}

TEST(AnswerJsonTest, SaysThatItIsMadeUpAndExplains) {
  InferenceResult result = TwoLabels();
  result.predictions.clear();
  result.synthetic = true;
  EXPECT_EQ(WriteAnswer(result, AnswerForm{}, {milliseconds(21), true}),
            R"({"code":0,"msg":"success","data":[],"elapse":0.021,"synthetic":true,)"
            R"("explain":{"model":"food","version":"3","lane":"cpu0/1","batch":4,)"
            R"("decode_ms":2.0,"queue_ms":3.0,"staging_ms":1.0,"infer_ms":12.0,)"
            R"("total_ms":21.0}})");
}

TEST(AnswerJsonTest, ServerTimingIsInMilliseconds) {
  EXPECT_EQ(ServerTiming(TwoLabels().stages), "decode;dur=2.0, queue;dur=3.0, infer;dur=12.0");
  EXPECT_EQ(ServerTiming(StageTimes{}), "decode;dur=0.0, queue;dur=0.0, infer;dur=0.0")
      << "a stage that was not reached is zero";
}

}  // namespace
}  // namespace xcloud
