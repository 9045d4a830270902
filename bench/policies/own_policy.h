// OwnPolicy: the scheduler's own Decide and CheckAdmission, driven as DynamicBatcher drives them:
// the same queues, profiles that warm-up seeded and each batch corrects, fair shares and probes.
//
// The real functions, so what is compared is what is served. Its answers are to leave
// kReplyMargin before the deadline, which the simulated server does not need: that much is lost.
#pragma once

#include <memory>
#include <vector>

#include "bench/policies/bench_policy.h"
#include "scheduler/fair_share.h"
#include "scheduler/policy.h"

namespace xcloud {

class OwnPolicy final : public BenchPolicy {
 public:
  OwnPolicy(const Scenario& scenario, bool defer);

  bool Admit(const SimRequest& request, TimePoint now) override;
  SimAct Decide(TimePoint now) override;
  void Finished(const SimStart& batch, Duration elapsed, TimePoint now) override;

 private:
  struct Model {
    Model(std::size_t capacity, std::size_t devices) : queue(capacity), profile(devices) {}
    ModelQueue queue;
    BatchProfile profile;
    std::size_t running = 0;
    TimePoint last_finish;
  };

  SimStart Close(const PolicyStart& start, TimePoint now);

  std::vector<std::unique_ptr<Model>> models_;  // the views point into them
  std::vector<QueueView> views_;                // of models_, in its order
  std::vector<LaneView> lanes_;
  std::vector<Duration> expected_;  // by lane: of what runs there
  FairShare fair_share_;
  PassedOver passed_over_{};
  std::uint64_t starts_ = 0;
};

}  // namespace xcloud
