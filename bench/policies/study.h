// Study: every policy under the same arrivals, scenario by scenario, and what came of it as text,
// JSON and a plot.
//
// Pure functions but for `progress`; any thread. The same options give the same figures on every
// machine; only the conditions (date, build) differ.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/conditions.h"
#include "bench/policies/bench_policy.h"
#include "bench/policies/scenario.h"

namespace xcloud {

struct StudyOptions {
  std::int64_t seeds = 3;          // runs of each point
  std::uint64_t first_seed = 1;    // run i uses first_seed + i
  std::int64_t requests = 20'000;  // of one run; the first tenth is not counted
  std::vector<double> loads = {0.2, 0.7, 0.9, 1.0, 1.3, 2.0};  // of capacity, rising
  std::vector<Scenario> scenarios = StandardScenarios();
};

// In-SLO share that "goodput" asks for, and the loads between which it is sought.
inline constexpr double kGoodShare = 0.99;
inline constexpr double kGoodputLowest = 0.02;
inline constexpr double kGoodputHighest = 1.2;
inline constexpr double kLowLoad = 0.2;  // where the mean latency is told

struct LoadPoint {
  double load = 0;
  double in_slo = 0;  // share of all requests, of all seeds together
  double lowest = 0;  // of one seed
  double highest = 0;
  double mean_ms = 0;  // latency of those that were served, in time or late
  double mean_batch = 0;
  double refused = 0;  // at the door, share of all
  double dropped = 0;  // later, share of all
};

struct PolicyOutcome {
  std::string name;
  std::string label;
  std::vector<LoadPoint> points;  // by options.loads
  double goodput = 0;      // the highest load with kGoodShare in SLO; 0 = not even the lowest
  double mean_ms_low = 0;  // latency at kLowLoad
};

struct ScenarioOutcome {
  Scenario scenario;
  std::vector<PolicyOutcome> policies;
};

struct Study {
  StudyOptions options;
  std::vector<ScenarioOutcome> scenarios;
};

// `progress` is called before each policy of each scenario; may be empty.
using StudyProgress = std::function<void(const Scenario&, const PolicyKind&)>;
Study RunStudy(const StudyOptions& options, const std::vector<PolicyKind>& policies,
               const StudyProgress& progress = {});

// One point: all seeds.
LoadPoint MeasurePoint(const StudyOptions& options, const Scenario& scenario,
                       const PolicyKind& policy, double load);

// Markdown: conditions, then a table a scenario.
std::string StudyText(const Study& study, const Conditions& conditions);
std::string StudyJson(const Study& study, const Conditions& conditions);
// A panel a scenario, a line a policy: in-SLO share over load.
std::string StudySvg(const Study& study, const Conditions& conditions);

}  // namespace xcloud
