// One decision of the policy, by how many models there are and how much waits in each.

#include "scheduler/admission.h"
#include "scheduler/policy.h"

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

namespace xcloud {
namespace {

constexpr std::size_t kMaxBatch = 32;
constexpr std::size_t kDevices = 2;
const TimePoint kNow{std::chrono::hours(1)};

class WaitingRequest final : public ScheduledRequest {
 public:
  bool Cancelled() const override { return false; }
  void Refuse(std::size_t, std::size_t, Status) override {}
};

// Every model with a queue of requests, two devices with two lanes each.
class Scene {
 public:
  Scene(std::size_t models, std::size_t waiting, bool lanes_busy) : profile_(kDevices) {
    for (std::size_t device = 0; device < kDevices; ++device) {
      for (std::size_t items = 1; items <= kMaxBatch; items *= 2) {
        profile_.Learn(device, items,
                       std::chrono::microseconds(4000 + 250 * static_cast<std::int64_t>(items)));
      }
      LaneView lane;
      lane.device = device;
      lane.running = lanes_busy ? 1 : 0;
      lane.free_at = kNow + std::chrono::milliseconds(5);
      lanes_.push_back(lane);
      lanes_.push_back(lane);
    }
    BatchLimits limits;
    limits.max_batch = kMaxBatch;
    limits.queue_capacity = waiting + 1;
    for (std::size_t m = 0; m < models; ++m) {
      queues_.push_back(std::make_unique<ModelQueue>(limits.queue_capacity));
      for (std::size_t i = 0; i < waiting; ++i) Fill(*queues_.back(), i);
      QueueView view;
      view.waiting = queues_.back().get();
      view.profile = &profile_;
      view.limits = limits;
      view.last_served = m;
      views_.push_back(view);
    }
  }
  AdmissionQuery Ask() const {
    AdmissionQuery query{views_[0], lanes_, views_, 1000, {}, kNow, false};
    query.request.deadline = Deadline::At(kNow + std::chrono::milliseconds(500));
    return query;
  }
  PolicyInput input() const { return {views_, lanes_, kNow}; }

 private:
  static void Fill(ModelQueue& queue, std::size_t i) {
    ScheduledRequestPtr request = std::make_shared<WaitingRequest>();
    request->arrival = kNow - std::chrono::milliseconds(1);
    request->deadline = Deadline::At(kNow + std::chrono::milliseconds(50 + i));
    const bool pushed = queue.TryPush(request, kNow, std::chrono::seconds(2));
    XC_CHECK(pushed);
  }

  BatchProfile profile_;
  std::vector<LaneView> lanes_;
  std::vector<std::unique_ptr<ModelQueue>> queues_;
  std::vector<QueueView> views_;
};

void DecideWithFreeLanes(benchmark::State& state) {
  const Scene scene(static_cast<std::size_t>(state.range(0)),
                    static_cast<std::size_t>(state.range(1)), false);
  const PolicyInput input = scene.input();
  for (auto _ : state) {
    const PolicyDecision decision = Decide(input);
    if (!decision.start.has_value()) state.SkipWithError("no batch was started");
    benchmark::DoNotOptimize(decision.look_again);
  }
}
BENCHMARK(DecideWithFreeLanes)
    ->ArgNames({"models", "waiting"})
    ->Args({1, 1})
    ->Args({1, 32})
    ->Args({1, 100})
    ->Args({1, 1024})
    ->Args({16, 7})  // 112 queued in all
    ->Args({16, 32})
    ->Args({64, 32});

void DecideWithBusyLanes(benchmark::State& state) {
  const Scene scene(static_cast<std::size_t>(state.range(0)),
                    static_cast<std::size_t>(state.range(1)), true);
  const PolicyInput input = scene.input();
  for (auto _ : state) {
    const PolicyDecision decision = Decide(input);
    if (decision.start.has_value()) state.SkipWithError("a batch was started on a busy lane");
    benchmark::DoNotOptimize(decision.look_again);
  }
}
BENCHMARK(DecideWithBusyLanes)
    ->ArgNames({"models", "waiting"})
    ->Args({1, 1024})
    ->Args({16, 7})
    ->Args({16, 1024});

void CheckAdmissionOfOne(benchmark::State& state) {
  const Scene scene(static_cast<std::size_t>(state.range(0)),
                    static_cast<std::size_t>(state.range(1)), true);
  const AdmissionQuery query = scene.Ask();
  for (auto _ : state) {
    benchmark::DoNotOptimize(CheckAdmission(query).has_value());
  }
}
BENCHMARK(CheckAdmissionOfOne)->ArgNames({"models", "waiting"})->Args({1, 100})->Args({16, 7});

}  // namespace
}  // namespace xcloud
