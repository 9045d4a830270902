#include <cstdio>

#include <nlohmann/json.hpp>

#include "bench/append_format.h"
#include "bench/policies/study.h"

namespace xcloud {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCapacity = "lanes x max over b <= max_batch of b / l(b), requests a second";

// The widest range of one point over the seeds, in percentage points.
double WidestSpread(const ScenarioOutcome& outcome) {
  double widest = 0;
  for (const PolicyOutcome& policy : outcome.policies) {
    for (const LoadPoint& point : policy.points) {
      widest = std::max(widest, point.highest - point.lowest);
    }
  }
  return widest * 100;
}

void AppendScenario(std::string& out, const ScenarioOutcome& outcome) {
  const Scenario& s = outcome.scenario;
  Append(out, "\n### %s\n%zu lane%s, %zu model%s, l(b) = %s, SLO %g ms, max_batch %zu",
         s.title.c_str(), s.lanes, s.lanes == 1 ? "" : "s", s.models, s.models == 1 ? "" : "s",
         s.times.text().c_str(), s.slo_ms, s.max_batch);
  if (s.jitter > 0) Append(out, ", batch times +- %g %%", s.jitter * 100);
  Append(out, "; capacity %.1f/s\n\n| in SLO, %% of all, at load", s.CapacityPerSecond());
  const std::vector<LoadPoint>& columns = outcome.policies.front().points;
  for (const LoadPoint& point : columns) Append(out, " | %.0f %%", point.load * 100);
  Append(out, " | %.0f %% in SLO up to | mean ms at %.0f %% |\n| ---", kGoodShare * 100,
         kLowLoad * 100);
  for (std::size_t i = 0; i < columns.size() + 2; ++i) out += " | ---:";
  out += " |\n";
  for (const PolicyOutcome& policy : outcome.policies) {
    out += "| " + policy.label;
    for (const LoadPoint& point : policy.points) Append(out, " | %.1f", point.in_slo * 100);
    if (policy.goodput > 0) {
      Append(out, " | %.2f", policy.goodput);
    } else {
      Append(out, " | < %.2f", kGoodputLowest);
    }
    Append(out, " | %.1f |\n", policy.mean_ms_low);
  }
  Append(out, "\nWidest range of one figure over the seeds: %.1f points.\n", WidestSpread(outcome));
}

Json PointJson(const LoadPoint& point) {
  return {{"load", point.load},       {"in_slo", point.in_slo},   {"lowest", point.lowest},
          {"highest", point.highest}, {"mean_ms", point.mean_ms}, {"mean_batch", point.mean_batch},
          {"refused", point.refused}, {"dropped", point.dropped}};
}

Json ScenarioJson(const ScenarioOutcome& outcome) {
  const Scenario& s = outcome.scenario;
  Json policies = Json::array();
  for (const PolicyOutcome& policy : outcome.policies) {
    Json points = Json::array();
    for (const LoadPoint& point : policy.points) points.push_back(PointJson(point));
    policies.push_back({{"name", policy.name},
                        {"goodput_share_of_capacity", policy.goodput},
                        {"mean_ms_at_low_load", policy.mean_ms_low},
                        {"points", points}});
  }
  return {{"name", s.name},
          {"title", s.title},
          {"lanes", s.lanes},
          {"models", s.models},
          {"batch_times", s.times.text()},
          {"slo_ms", s.slo_ms},
          {"max_batch", s.max_batch},
          {"jitter", s.jitter},
          {"capacity_per_s", s.CapacityPerSecond()},
          {"policies", policies}};
}

}  // namespace

std::string StudyText(const Study& study, const Conditions& conditions) {
  const StudyOptions& o = study.options;
  std::string out = "## Batching policies: a simulation, not a measurement\n";
  Append(out, "xcloud %s, %s, %s, %s. Seeds %llu to %llu, about %lld Poisson arrivals each, the\n",
         conditions.version.c_str(), conditions.compiler.c_str(), conditions.build_type.c_str(),
         conditions.date.c_str(), static_cast<unsigned long long>(o.first_seed),
         static_cast<unsigned long long>(o.first_seed + static_cast<std::uint64_t>(o.seeds) - 1),
         static_cast<long long>(o.requests));
  out +=
      "same for every policy; the first tenth is not counted. Time is simulated: decode, network,\n"
      "top-k and JSON cost nothing. \"ours\" is the scheduler's own Decide and CheckAdmission;\n"
      "it keeps 0.5 ms of each SLO for the answer, which the others may use. The others have\n"
      "unbounded queues and serve what is late, so above capacity their share falls on with the\n"
      "length of the run. Lanes hold one batch at a time.\n";
  Append(out, "Capacity = %s.\n", kCapacity);
  out += "\"mean ms\" is the latency of what was served, in time or late.\n";
  for (const ScenarioOutcome& outcome : study.scenarios) AppendScenario(out, outcome);
  return out;
}

std::string StudyJson(const Study& study, const Conditions& conditions) {
  Json scenarios = Json::array();
  for (const ScenarioOutcome& outcome : study.scenarios) scenarios.push_back(ScenarioJson(outcome));
  const Json out = {{"what", "a simulation, not a measurement"},
                    {"date", conditions.date},
                    {"xcloud", conditions.version},
                    {"compiler", conditions.compiler},
                    {"build_type", conditions.build_type},
                    {"seeds", study.options.seeds},
                    {"first_seed", study.options.first_seed},
                    {"requests", study.options.requests},
                    {"capacity", kCapacity},
                    {"goodput_asks_for", kGoodShare},
                    {"low_load", kLowLoad},
                    {"scenarios", scenarios}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace xcloud
