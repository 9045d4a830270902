#include "bench/policies/study.h"

#include <algorithm>

#include "bench/policies/policy_simulator.h"

namespace xcloud {
namespace {

// (1.2 - 0.02) / 2^7: below one per cent of the capacity.
constexpr int kBisections = 7;

// The share must fall with the load for this to be the only crossing; policies that wait for
// fuller batches may miss at low loads too, so the low load is looked at first.
double FindGoodput(const StudyOptions& options, const Scenario& scenario, const PolicyKind& policy,
                   double low_load_share) {
  const auto good = [&](double load) {
    return MeasurePoint(options, scenario, policy, load).in_slo >= kGoodShare;
  };
  double low = kLowLoad;
  double high = kGoodputHighest;
  if (low_load_share < kGoodShare) {
    low = kGoodputLowest;
    high = kLowLoad;
    if (!good(low)) return 0;
  }
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    (good(middle) ? low : high) = middle;
  }
  return low;
}

PolicyOutcome RunPolicy(const StudyOptions& options, const Scenario& scenario,
                        const PolicyKind& policy) {
  PolicyOutcome outcome;
  outcome.name = policy.name;
  outcome.label = policy.label;
  for (const double load : options.loads) {
    outcome.points.push_back(MeasurePoint(options, scenario, policy, load));
  }
  const LoadPoint low = MeasurePoint(options, scenario, policy, kLowLoad);
  outcome.mean_ms_low = low.mean_ms;
  outcome.goodput = FindGoodput(options, scenario, policy, low.in_slo);
  return outcome;
}

}  // namespace

LoadPoint MeasurePoint(const StudyOptions& options, const Scenario& scenario,
                       const PolicyKind& policy, double load) {
  LoadPoint point;
  point.load = load;
  point.lowest = 1;
  SimResult all;
  for (std::int64_t i = 0; i < options.seeds; ++i) {
    const std::uint64_t seed = options.first_seed + static_cast<std::uint64_t>(i);
    const std::vector<SimRequest> arrivals =
        MakeArrivals(scenario, load, static_cast<std::size_t>(options.requests), seed);
    const auto made = policy.make(scenario);
    const SimResult run = SimulatePolicy(scenario, arrivals, arrivals.size() / 10, seed, *made);
    point.lowest = std::min(point.lowest, run.in_slo_share());
    point.highest = std::max(point.highest, run.in_slo_share());
    all += run;
  }
  point.in_slo = all.in_slo_share();
  point.mean_ms = all.mean_latency_ms();
  point.mean_batch = all.mean_batch();
  point.refused = all.refused_share();
  point.dropped = all.dropped_share();
  return point;
}

Study RunStudy(const StudyOptions& options, const std::vector<PolicyKind>& policies,
               const StudyProgress& progress) {
  Study study;
  study.options = options;
  for (const Scenario& scenario : options.scenarios) {
    ScenarioOutcome outcome;
    outcome.scenario = scenario;
    for (const PolicyKind& policy : policies) {
      if (progress) progress(scenario, policy);
      outcome.policies.push_back(RunPolicy(options, scenario, policy));
    }
    study.scenarios.push_back(std::move(outcome));
  }
  return study;
}

}  // namespace xcloud
