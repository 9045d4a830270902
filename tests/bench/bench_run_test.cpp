#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/bench_run.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

LoadResult HundredInTenSeconds() {
  LoadResult load;
  load.offered = 100;
  load.ok = 90;
  load.within_slo = 60;
  load.length = std::chrono::seconds(10);
  load.elapsed = std::chrono::seconds(9);
  return load;
}

TEST(LoadResultTest, GoodputCountsAgainstAllThatWereOffered) {
  const LoadResult load = HundredInTenSeconds();
  EXPECT_DOUBLE_EQ(load.offered_per_s(), 10);
  EXPECT_DOUBLE_EQ(load.achieved_per_s(), 9);
  EXPECT_DOUBLE_EQ(load.goodput_per_s(), 6);
  EXPECT_DOUBLE_EQ(load.goodput_share(), 0.6);
}

TEST(LoadResultTest, AnswersThatComeAfterTheEndLowerTheAchievedRate) {
  LoadResult load = HundredInTenSeconds();
  load.elapsed = std::chrono::seconds(18);
  EXPECT_DOUBLE_EQ(load.achieved_per_s(), 5);
}

TEST(BenchRunTest, IsInvalidWhenTooManySendsWereNotOnTime) {
  BenchRun run;
  run.load = HundredInTenSeconds();
  run.load.behind = 2;
  EXPECT_THAT(run.Invalid(), IsEmpty()) << "2 % is the limit, and allowed";
  run.load.behind = 3;
  run.load.held = 1;
  run.load.late = 2;
  run.load.send_lag.Record(std::chrono::milliseconds(7));
  ASSERT_EQ(run.Invalid().size(), 1U);
  EXPECT_EQ(run.Invalid()[0],
            "generator fell behind: 3.0 % of the sends were not on time (1 held back by the bound "
            "on connections, 2 by a late timer); P99 lateness 7.00 ms");
}

TEST(BenchRunTest, IsInvalidWhenTheGeneratorUsedItsWholeCore) {
  BenchRun run;
  run.load = HundredInTenSeconds();
  run.generator_cores = 0.95;
  EXPECT_THAT(run.Invalid(), ElementsAre(HasSubstr("it used 95.0 % of its one core")));
}

TEST(BenchRunTest, IsInvalidWhenNothingWasDue) {
  EXPECT_THAT(BenchRun().Invalid(), ElementsAre(HasSubstr("no request was due")));
}

}  // namespace
}  // namespace xcloud
