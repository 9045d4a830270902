// WindowPolicy: batching as other servers do it, blind to deadlines: a batch leaves when it is
// full or when its oldest request has waited `delay`, to the first free lane. Delay 0 is take-all;
// a largest batch of 1 is no batching.
//
// First in, first out; of several models the one whose oldest request is oldest. Queues have no
// bound and nothing is refused, as by Triton's default. As BenchPolicy otherwise.
#pragma once

#include <deque>
#include <vector>

#include "bench/policies/bench_policy.h"

namespace xcloud {

struct WindowRules {
  std::size_t max_batch = 1;
  Duration delay{};
  bool drop_expired = false;  // those whose deadline has passed do not run
};

class WindowPolicy final : public BenchPolicy {
 public:
  WindowPolicy(const Scenario& scenario, const WindowRules& rules);

  bool Admit(const SimRequest& request, TimePoint now) override;
  SimAct Decide(TimePoint now) override;
  void Finished(const SimStart& batch, Duration elapsed, TimePoint now) override;

 private:
  using Queue = std::deque<SimRequest>;

  void DropExpired(TimePoint now, SimAct& act);
  bool Ready(const Queue& queue, TimePoint now) const;
  std::optional<std::size_t> FreeLane() const;

  const WindowRules rules_;
  std::vector<Queue> queues_;
  std::vector<bool> busy_;
};

}  // namespace xcloud
