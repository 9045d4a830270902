// The knobs as JSON, both ways.
#include "http/endpoints/batching_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace xcloud {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

std::string Refusal(std::string_view body) {
  const Result<BatchingPatch> patch = ReadBatchingPatch(body);
  EXPECT_FALSE(patch.ok()) << body;
  return patch.ok() ? "" : patch.status().message();
}

TEST(BatchingJsonTest, ReadsEachKnobAndLeavesTheOthersUnnamed) {
  const auto all = ReadBatchingPatch(
      R"({"max_batch":8,"queue_capacity":64,"max_queue_delay_ms":1.5,"latency_goal_ms":100,)"
      R"("defer":true,"priority":"low","patience_ms":250.25,"version":3})");
  ASSERT_TRUE(all.ok()) << all.status().message();
  EXPECT_EQ(all->max_batch, 8U);
  EXPECT_EQ(all->queue_capacity, 64U);
  EXPECT_EQ(all->max_queue_delay_ms, 1.5);
  EXPECT_EQ(all->latency_goal_ms, 100.0);
  EXPECT_EQ(all->defer, true);
  EXPECT_EQ(all->priority, Priority::kLow);
  EXPECT_EQ(all->patience_ms, 250.25);
  EXPECT_EQ(all->expected_version, 3U);
  EXPECT_FALSE(all->revert_to);
  const auto one = ReadBatchingPatch(R"( { "defer" : false } )");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->defer, false);
  EXPECT_FALSE(one->max_batch || one->queue_capacity || one->max_queue_delay_ms ||
               one->latency_goal_ms || one->priority || one->patience_ms || one->expected_version);
}

TEST(BatchingJsonTest, ARevertStandsAloneButForTheVersion) {
  const auto revert = ReadBatchingPatch(R"({"revert_to":2,"version":5})");
  ASSERT_TRUE(revert.ok()) << revert.status().message();
  EXPECT_EQ(revert->revert_to, 2U);
  EXPECT_EQ(revert->expected_version, 5U);
  EXPECT_THAT(Refusal(R"({"revert_to":2,"defer":true})"), HasSubstr("revert_to takes every value"));
}

TEST(BatchingJsonTest, NamesEverythingThatIsWrongAtOnce) {
  const std::string why = Refusal(
      R"({"max_batch":0,"queue_capacity":1.5,"max_queue_delay_ms":-1,"latency_goal_ms":"5",)"
      R"("defer":1,"priority":"urgent","patience_ms":null,"revert_to":-2,"version":[1],)"
      R"("speed":9,"speed":9})");
  for (const char* part :
       {"max_batch must be a whole number", "queue_capacity must be a whole number",
        "max_queue_delay_ms must be a number", "latency_goal_ms must be a number",
        "defer must be true or false", "priority must be", "patience_ms must be a number",
        "revert_to must be a whole number", "version must be a whole number", "speed is not a knob",
        "speed is there twice"}) {
    EXPECT_THAT(why, HasSubstr(part));
  }
  EXPECT_THAT(Refusal(R"({"max_batch":{"max_batch":4}})"), HasSubstr("max_batch must be"));
  EXPECT_THAT(Refusal(R"({"priority":2})"), HasSubstr("priority must be"));
}

TEST(BatchingJsonTest, RefusesWhatIsNoObjectOfKnobs) {
  EXPECT_THAT(Refusal("{}"), HasSubstr("names no knob"));
  for (const char* body : {"", "{", "{\"defer\":true}x", "{\"defer\":true,}", "{\"a\":\"\xFF\"}",
                           "{\"patience_ms\":1e999}", "{\"patience_ms\":NaN}"}) {
    EXPECT_THAT(Refusal(body), HasSubstr("not JSON")) << body;
  }
  for (const char* body : {"[]", "3", "null", "\"defer\""}) {
    EXPECT_THAT(Refusal(body), HasSubstr("must be a JSON object")) << body;
  }
}

TEST(BatchingJsonTest, DepthAndTheLengthOfTheRefusalAreBounded) {
  EXPECT_THAT(Refusal("{\"a\":" + std::string(30'000, '[')), HasSubstr("nested too deeply"));
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  many.back() = '}';
  const std::string why = Refusal(many);
  EXPECT_THAT(why, HasSubstr("and 980 more"));
  EXPECT_LT(why.size(), 2000U);
  EXPECT_LT(Refusal("{\"" + std::string(60'000, 'x') + "\":0}").size(), 200U);
}

TEST(BatchingJsonTest, WritesTheViewWithItsHistory) {
  BatchingView view;
  view.current.version = 3;
  view.current.since = WallTime(milliseconds(1'700'000'000'045));
  view.current.limits.max_batch = 4;
  view.current.limits.max_queue_delay = std::chrono::microseconds(1500);
  view.current.limits.defer = true;
  view.current.limits.priority = Priority::kHigh;
  view.max_batch_limit = 16;
  view.history = {view.current, BatchingVersion{}};
  const auto json = nlohmann::json::parse(WriteBatching("demo", view));
  EXPECT_EQ(json["name"], "demo");
  EXPECT_EQ(json["version"], 3);
  EXPECT_EQ(json["since"], "2023-11-14T22:13:20.045Z");
  EXPECT_EQ(json["max_batch"], 4);
  EXPECT_EQ(json["max_batch_limit"], 16);
  EXPECT_EQ(json["queue_capacity"], 256);
  EXPECT_EQ(json["max_queue_delay_ms"], 1.5);
  EXPECT_EQ(json["latency_goal_ms"], 0.0);
  EXPECT_EQ(json["defer"], true);
  EXPECT_EQ(json["priority"], "high");
  EXPECT_EQ(json["patience_ms"], 2000.0);
  ASSERT_EQ(json["history"].size(), 2U);
  EXPECT_EQ(json["history"][0]["version"], 3);
  EXPECT_EQ(json["history"][0]["max_batch"], 4);
  EXPECT_EQ(json["history"][1]["version"], 1);
  EXPECT_EQ(json["history"][1]["priority"], "normal");
  EXPECT_EQ(json["history"][1]["since"], "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace xcloud
