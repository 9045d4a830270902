#include "core/metrics.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace xcloud {
namespace {

TEST(MetricsTest, GivesTheSameMetricForTheSameNameAndLabels) {
  MetricsRegistry metrics;
  Counter& first = metrics.GetCounter("c_total", "help", {{"model", "a"}});
  EXPECT_EQ(&first, &metrics.GetCounter("c_total", "help", {{"model", "a"}}));
  EXPECT_NE(&first, &metrics.GetCounter("c_total", "help", {{"model", "b"}}));
}

TEST(MetricsTest, RendersCountersAndGaugesWithHelpAndType) {
  MetricsRegistry metrics;
  metrics.GetCounter("requests_total", "Requests.", {{"code", "200"}}).Add(3);
  metrics.GetGauge("queue_items", "Waiting.").Set(-2);
  EXPECT_EQ(metrics.Render(),
            "# HELP queue_items Waiting.\n# TYPE queue_items gauge\nqueue_items -2\n"
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
            "requests_total{code=\"200\"} 3\n");
}

TEST(MetricsTest, HistogramBucketsAreCumulativeAndUpperBoundsInclusive) {
  MetricsRegistry metrics;
  Histogram& histogram = metrics.GetHistogram("size", "Sizes.", {1, 2}, {{"m", "x"}});
  for (const double value : {1.0, 1.5, 2.0, 9.0}) histogram.Observe(value);
  EXPECT_EQ(metrics.Render(),
            "# HELP size Sizes.\n# TYPE size histogram\n"
            "size_bucket{m=\"x\",le=\"1\"} 1\nsize_bucket{m=\"x\",le=\"2\"} 3\n"
            "size_bucket{m=\"x\",le=\"+Inf\"} 4\nsize_sum{m=\"x\"} 13.5\nsize_count{m=\"x\"} 4\n");
}

TEST(MetricsTest, EscapesLabelValues) {
  MetricsRegistry metrics;
  metrics.GetCounter("c", "h", {{"m", "a\"b\\c\nd"}}).Add();
  EXPECT_NE(metrics.Render().find("c{m=\"a\\\"b\\\\c\\nd\"} 1"), std::string::npos);
}

TEST(MetricsTest, EscapesHelpButNotItsQuotes) {
  MetricsRegistry metrics;
  metrics.GetCounter("c", "a\"b\\c\nd");
  EXPECT_EQ(metrics.Render().find("# HELP c a\"b\\\\c\\nd\n"), 0U) << metrics.Render();
}

TEST(MetricsTest, WritesNumbersAsTheyWereMeant) {
  MetricsRegistry metrics;
  metrics.GetHistogram("h", "h", {0.0001, 0.015, 1000000}).Observe(0.1);
  metrics.GetCounter("c", "h").Add(18'446'744'073'709'551'615U);
  const std::string text = metrics.Render();
  EXPECT_NE(text.find("c 18446744073709551615\n"), std::string::npos) << text;
  for (const char* bound : {"\"0.0001\"", "\"0.015\"", "\"1000000\"", "\"+Inf\""}) {
    EXPECT_NE(text.find(std::string("h_bucket{le=") + bound + "} "), std::string::npos) << text;
  }
  EXPECT_NE(text.find("h_sum 0.1\n"), std::string::npos) << text;
}

// Microseconds, as the nv_*_histogram_us have them: days of summed time under load.
TEST(MetricsTest, TheSumOfAHistogramDoesNotWrap) {
  Histogram histogram({1});
  for (int i = 0; i < 20; ++i) histogram.Observe(1e12);
  EXPECT_DOUBLE_EQ(histogram.sum(), 2e13);
}

TEST(MetricsTest, LosesNothingAcrossThreads) {
  MetricsRegistry metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        metrics.GetCounter("c", "h").Add();
        metrics.GetHistogram("h", "h", LatencyBoundsSeconds()).Observe(0.001);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.GetCounter("c", "h").value(), 4000U);
  EXPECT_NEAR(metrics.GetHistogram("h", "h", LatencyBoundsSeconds()).sum(), 4.0, 1e-9);
}

}  // namespace
}  // namespace xcloud
