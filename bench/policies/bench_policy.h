// BenchPolicy: what the policies under comparison have in common: who is let in, and which
// requests leave together, when, to which lane. Each keeps its own queues.
//
// Driven by PolicySimulator, on one thread and in simulated time. After each event (an arrival,
// a lane that came free, the instant that the policy named) Decide is called until it does nothing
// more. Invariant: a request that was admitted is dropped once, or started once, or waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/policies/scenario.h"
#include "core/clock.h"

namespace xcloud {

struct SimStart {
  std::size_t lane = 0;  // must be free
  std::uint32_t model = 0;
  std::vector<std::uint32_t> ids;  // 1 to max_batch requests of that model
  std::size_t run_items = 0;       // ids.size(), or more when it is padded
};

struct SimAct {
  std::vector<std::uint32_t> dropped;
  std::optional<SimStart> start;
  TimePoint look_again = TimePoint::max();  // later than now; read when nothing was done

  bool Nothing() const { return dropped.empty() && !start.has_value(); }
};

class BenchPolicy {
 public:
  virtual ~BenchPolicy() = default;
  // False = refused at the door.
  virtual bool Admit(const SimRequest& request, TimePoint now) = 0;
  virtual SimAct Decide(TimePoint now) = 0;
  virtual void Finished(const SimStart& batch, Duration elapsed, TimePoint now) = 0;
};

struct PolicyKind {
  std::string name;   // a word for JSON
  std::string label;  // for tables and plots
  std::function<std::unique_ptr<BenchPolicy>(const Scenario&)> make;
};

// Ours, ours with deferral, and what others do; ours first.
std::vector<PolicyKind> ComparedPolicies();

}  // namespace xcloud
