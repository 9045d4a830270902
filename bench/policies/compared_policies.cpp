#include "bench/policies/bench_policy.h"
#include "bench/policies/own_policy.h"
#include "bench/policies/window_policy.h"

namespace xcloud {
namespace {

PolicyKind Own(const char* name, const char* label, bool defer) {
  return {name, label, [defer](const Scenario& scenario) {
            return std::make_unique<OwnPolicy>(scenario, defer);
          }};
}

// delay_share: of the SLO.
PolicyKind Window(const char* name, const char* label, double delay_share, bool drop_expired) {
  return {name, label, [=](const Scenario& scenario) {
            const WindowRules rules = {
                scenario.max_batch, FromMilliseconds(delay_share * scenario.slo_ms), drop_expired};
            return std::make_unique<WindowPolicy>(scenario, rules);
          }};
}

}  // namespace

std::vector<PolicyKind> ComparedPolicies() {
  return {
      Own("ours", "ours", false),
      Own("ours-defer", "ours, deferring", true),
      {"no-batching", "no batching",
       [](const Scenario& scenario) {
         return std::make_unique<WindowPolicy>(scenario, WindowRules{1, Duration(0), false});
       }},
      Window("take-all", "take all", 0, false),
      Window("take-all-expiry", "take all, drop expired", 0, true),
      Window("delay-10", "delay 10 % of SLO", 0.1, false),
      Window("delay-40", "delay 40 % of SLO", 0.4, false),
  };
}

}  // namespace xcloud
