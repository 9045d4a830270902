#include "bench/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/metrics.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

TEST(PrometheusTest, ReadsNamesLabelsEscapesAndTimestamps) {
  const auto samples = ParsePrometheus(
      "# HELP a_total things\n"
      "# TYPE a_total counter\n"
      "a_total 3\n"
      "\n"
      "b{model=\"x\\\"y\\\\z\\n\",le=\"+Inf\"} 1.5e3 1700000000\r\n"
      "c { one = \"1\" , } +Inf\n"
      "d NaN");
  ASSERT_TRUE(samples.ok()) << samples.status().ToString();
  ASSERT_EQ(samples->size(), 4U);
  EXPECT_EQ((*samples)[0].name, "a_total");
  EXPECT_EQ((*samples)[0].value, 3);
  EXPECT_EQ((*samples)[1].labels.at("model"), "x\"y\\z\n");
  EXPECT_EQ((*samples)[1].value, 1500);
  EXPECT_EQ((*samples)[2].labels.at("one"), "1");
  EXPECT_TRUE(std::isinf((*samples)[2].value));
  EXPECT_TRUE(std::isnan((*samples)[3].value));
}

TEST(PrometheusTest, NamesTheFirstBadLine) {
  for (const char* bad : {"a", "a{x=\"1\" 3", "a{x=1} 3", "a three", "<html>", "a{x=\"1", "{} 3"}) {
    const auto samples = ParsePrometheus(std::string("fine 1\n") + bad + "\n");
    ASSERT_FALSE(samples.ok()) << bad;
    EXPECT_THAT(samples.status().message(), HasSubstr("line 2")) << bad;
  }
}

TEST(PrometheusTest, ReadsWhatOurOwnRegistryWrites) {
  MetricsRegistry registry;
  const std::vector<double> bounds = {1, 2, 4};
  Histogram& one = registry.GetHistogram("size", "items", bounds, {{"model", "a"}, {"lane", "0"}});
  Histogram& two = registry.GetHistogram("size", "items", bounds, {{"model", "a"}, {"lane", "1"}});
  Histogram& other = registry.GetHistogram("size", "items", bounds, {{"model", "b"}});
  one.Observe(1);
  two.Observe(3);
  other.Observe(100);
  const auto samples = ParsePrometheus(registry.Render());
  ASSERT_TRUE(samples.ok()) << samples.status().ToString();
  const auto found = FindHistogram(*samples, "size", {{"model", "a"}});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->count, 2);
  EXPECT_EQ(found->sum, 4);
  EXPECT_EQ(found->mean(), 2);
  const std::map<double, double> expected = {{1, 1}, {2, 1}, {4, 2}, {INFINITY, 2}};
  EXPECT_EQ(found->cumulative, expected);
  EXPECT_EQ(FindHistogram(*samples, "size", {})->count, 3);
  EXPECT_FALSE(FindHistogram(*samples, "size", {{"model", "c"}}).has_value());
  EXPECT_FALSE(FindHistogram(*samples, "siz", {}).has_value());
}

TEST(PrometheusTest, TheDifferenceOfTwoScrapesIsWhatHappenedBetween) {
  const MetricHistogram before{{{1, 5}, {2, 6}, {INFINITY, 6}}, 7, 6};
  const MetricHistogram after{{{1, 5}, {2, 9}, {INFINITY, 10}}, 23, 10};
  const auto delta = HistogramDelta(before, after);
  ASSERT_TRUE(delta.ok());
  const std::map<double, double> expected = {{1, 0}, {2, 3}, {INFINITY, 4}};
  EXPECT_EQ(delta->cumulative, expected);
  EXPECT_EQ(delta->count, 4);
  EXPECT_EQ(delta->sum, 16);
  EXPECT_EQ(HistogramDelta(std::nullopt, after)->count, 10);
  EXPECT_EQ(HistogramDelta(after, before).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace xcloud
