// The baselines, and the simulator that drives them: against queueing theory, and by hand.

#include "bench/policies/window_policy.h"

#include <gtest/gtest.h>

#include "bench/policies/policy_simulator.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;

Scenario OneLane(double base_ms, double item_ms, double slo_ms, std::size_t max_batch) {
  return {"test", "test", 1, 1, BatchTimes::Affine(base_ms, item_ms), slo_ms, max_batch};
}

// Arrivals of model 0 at these milliseconds.
std::vector<SimRequest> At(const Scenario& scenario, const std::vector<double>& at_ms) {
  std::vector<SimRequest> out;
  for (const double ms : at_ms) {
    SimRequest request;
    request.id = static_cast<std::uint32_t>(out.size());
    request.arrival = TimePoint(std::chrono::hours(1)) + FromMilliseconds(ms);
    request.deadline = request.arrival + FromMilliseconds(scenario.slo_ms);
    out.push_back(request);
  }
  return out;
}

SimResult RunWindow(const Scenario& scenario, const WindowRules& rules,
                    const std::vector<SimRequest>& arrivals) {
  WindowPolicy policy(scenario, rules);
  return SimulatePolicy(scenario, arrivals, 0, 1, policy);
}

// Pollaczek and Khinchine, constant service time D: E[T] = D + rho D / (2 (1 - rho)).
TEST(WindowPolicyTest, NoBatchingIsAnMD1Queue) {
  const double service_ms = 2;
  const Scenario scenario = OneLane(1, 1, 1e6, 1);
  EXPECT_DOUBLE_EQ(scenario.CapacityPerSecond(), 500);
  for (const double rho : {0.3, 0.5, 0.8}) {
    SimResult all;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const std::vector<SimRequest> arrivals = MakeArrivals(scenario, rho, 200'000, seed);
      WindowPolicy policy(scenario, {1, Duration(0), false});
      all += SimulatePolicy(scenario, arrivals, 1'000, seed, policy);
    }
    const double expected = service_ms + rho * service_ms / (2 * (1 - rho));
    EXPECT_NEAR(all.mean_latency_ms(), expected, 0.03 * expected) << "rho " << rho;
    EXPECT_EQ(all.served, all.offered);
    EXPECT_DOUBLE_EQ(all.mean_batch(), 1);
  }
}

TEST(WindowPolicyTest, TakeAllTakesWhatWaitsUpToTheLargestBatch) {
  const Scenario scenario = OneLane(10, 1, 100, 4);
  // The first runs 0..11 alone; of the six that came meanwhile four leave at 11 and take 14 ms.
  const SimResult result =
      RunWindow(scenario, {4, Duration(0), false}, At(scenario, {0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(result.batches, 3U);
  EXPECT_EQ(result.in_slo, 7U);
  // Ends: 11, 25 x4, 37 x2; arrivals 0; 1 2 3 4; 5 6.
  EXPECT_DOUBLE_EQ(result.latency_sum_ms, 11 + (24 + 23 + 22 + 21) + (32 + 31));
}

TEST(WindowPolicyTest, AFixedDelayWaitsForAFullBatchOrItsEnd) {
  const Scenario scenario = OneLane(10, 1, 100, 2);
  const WindowRules rules = {2, milliseconds(20), false};
  // Alone: waits 20, then runs 11.
  EXPECT_DOUBLE_EQ(RunWindow(scenario, rules, At(scenario, {0})).latency_sum_ms, 31);
  // Full at 5: runs 12 from there.
  EXPECT_DOUBLE_EQ(RunWindow(scenario, rules, At(scenario, {0, 5})).latency_sum_ms, 17 + 12);
}

TEST(WindowPolicyTest, DropsTheExpiredOnlyWhenAsked) {
  const Scenario scenario = OneLane(10, 40, 60, 1);
  const std::vector<SimRequest> arrivals = At(scenario, {0, 1, 70});
  // 0 runs to 50, 1 to 100 (late), 70 to 150 (late).
  const SimResult all = RunWindow(scenario, {1, Duration(0), false}, arrivals);
  EXPECT_EQ(all.served, 3U);
  EXPECT_EQ(all.in_slo, 1U);
  // Due at 61 and not before: the one of 1 runs from 50 all the same, blind to its batch time.
  const SimResult dropping =
      RunWindow(scenario, {1, Duration(0), true}, At(scenario, {0, 1, 2, 70}));
  EXPECT_EQ(dropping.served, 3U);
  EXPECT_EQ(dropping.dropped, 1U) << "the one of 2 is dead at 62, before the lane is free at 100";
}

TEST(WindowPolicyTest, ServesTheModelWhoseOldestRequestIsOldest) {
  Scenario scenario = OneLane(10, 0, 100, 8);
  scenario.models = 2;
  std::vector<SimRequest> arrivals = At(scenario, {0, 1, 2, 3});
  arrivals[1].model = arrivals[3].model = 1;
  // 0 alone; at 10 model 1 (the one of 1 waits longest) with both of its; at 20 the one of 2.
  EXPECT_DOUBLE_EQ(RunWindow(scenario, {8, Duration(0), false}, arrivals).latency_sum_ms,
                   10 + (19 + 17) + 28);
}

TEST(WindowPolicyTest, TwoLanesRunAtOnce) {
  Scenario scenario = OneLane(10, 0, 100, 1);
  scenario.lanes = 2;
  EXPECT_DOUBLE_EQ(
      RunWindow(scenario, {1, Duration(0), false}, At(scenario, {0, 1, 2})).latency_sum_ms,
      10 + 10 + 18);
}

class NeverServes final : public BenchPolicy {
 public:
  bool Admit(const SimRequest&, TimePoint) override { return true; }
  SimAct Decide(TimePoint) override { return {}; }
  void Finished(const SimStart&, Duration, TimePoint) override {}
};

TEST(PolicySimulatorTest, APolicyThatNeverServesGetsNothing) {
  const Scenario scenario = OneLane(1, 1, 100, 4);
  NeverServes policy;
  const SimResult result =
      SimulatePolicy(scenario, MakeArrivals(scenario, 0.5, 1000, 1), 100, 1, policy);
  EXPECT_GT(result.offered, 800U);
  EXPECT_EQ(result.in_slo_share(), 0);
  EXPECT_EQ(result.unserved, result.offered);
}

// Starts each request again: the simulator must not let it pass.
class ServesTwice final : public BenchPolicy {
 public:
  bool Admit(const SimRequest& request, TimePoint) override {
    id_ = request.id;
    return true;
  }
  SimAct Decide(TimePoint) override {
    SimAct act;
    if (!busy_) act.start = SimStart{0, 0, {id_}, 1};
    busy_ = true;
    return act;
  }
  void Finished(const SimStart&, Duration, TimePoint) override { busy_ = false; }

 private:
  std::uint32_t id_ = 0;
  bool busy_ = false;
};

TEST(PolicySimulatorDeathTest, ARequestCannotBeServedTwice) {
  const Scenario scenario = OneLane(1, 1, 100, 4);
  ServesTwice policy;
  EXPECT_DEATH(SimulatePolicy(scenario, At(scenario, {0}), 0, 1, policy), "fates_");
}

TEST(PolicySimulatorTest, JitterVariesBatchTimesWithinItsShareAndBySeed) {
  Scenario scenario = OneLane(0, 100, 1000, 1);
  scenario.jitter = 0.2;
  const std::vector<SimRequest> arrivals = At(scenario, {0, 1000, 2000});
  WindowPolicy one(scenario, {1, Duration(0), false});
  WindowPolicy two(scenario, {1, Duration(0), false});
  const double sum_one = SimulatePolicy(scenario, arrivals, 0, 1, one).latency_sum_ms;
  const double sum_two = SimulatePolicy(scenario, arrivals, 0, 2, two).latency_sum_ms;
  EXPECT_NE(sum_one, sum_two);
  for (const double sum : {sum_one, sum_two}) {
    EXPECT_GE(sum, 240);
    EXPECT_LE(sum, 360);
  }
}

}  // namespace
}  // namespace xcloud
