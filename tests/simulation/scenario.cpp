#include "tests/simulation/scenario.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace xcloud {
namespace {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::size_t Whole(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(engine_);
  }
  double Real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  bool Chance(double p) { return Real(0, 1) < p; }
  double Exponential(double mean) { return -mean * std::log(1 - Real(0, 1)); }

 private:
  std::mt19937_64 engine_;
};

SimModel RandomModel(Dice& dice, std::size_t devices) {
  SimModel model;
  model.limits.max_batch = dice.Whole(1, 12);
  model.limits.queue_capacity = model.limits.max_batch * dice.Whole(1, 8);
  if (dice.Chance(0.3)) model.limits.max_queue_delay = FromMilliseconds(dice.Real(0.5, 30));
  if (dice.Chance(0.1)) model.limits.defer = true;
  if (dice.Chance(0.5)) model.limits.latency_goal = FromMilliseconds(dice.Real(5, 80));
  model.limits.patience = FromMilliseconds(dice.Real(10, 1000));
  for (std::size_t d = 0; d < devices; ++d) {
    model.times.push_back({dice.Real(0.1, 10), dice.Real(0.01, 5)});
  }
  if (dice.Chance(0.7)) model.warm_up_factor = dice.Chance(0.5) ? 1 : dice.Real(0.5, 2);
  return model;
}

SimArrival RandomArrival(Dice& dice, const Scenario& scenario, TimePoint at) {
  SimArrival arrival;
  arrival.at = at;
  arrival.model = dice.Whole(0, scenario.models.size() - 1);
  const SimModel& model = scenario.models[arrival.model];
  if (dice.Chance(0.2)) {
    arrival.items =
        dice.Whole(1, std::min(2 * model.limits.max_batch, model.limits.queue_capacity));
  }
  if (dice.Chance(0.4)) arrival.priority = static_cast<Priority>(dice.Whole(1, 3));
  if (dice.Chance(0.7)) {
    arrival.deadline = Deadline::After(at, FromMilliseconds(dice.Real(0.5, 80)));
  }
  if (dice.Chance(0.15)) arrival.cancel_at = at + FromMilliseconds(dice.Real(0, 40));
  arrival.poison = scenario.poisoned && dice.Chance(0.02);
  return arrival;
}

}  // namespace

Scenario RandomScenario(std::uint64_t seed) {
  Dice dice(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.devices = dice.Whole(1, 3);
  for (std::size_t d = 0; d < scenario.devices; ++d) {
    const std::size_t lanes = dice.Whole(1, 2);
    const std::size_t depth = dice.Chance(0.2) ? 2 : 1;
    for (std::size_t i = 0; i < lanes; ++i) {
      scenario.lanes.push_back(LaneView{.device = d, .depth = depth});
    }
  }
  const std::size_t models = dice.Whole(1, 6);
  for (std::size_t m = 0; m < models; ++m) {
    scenario.models.push_back(RandomModel(dice, scenario.devices));
  }
  if (dice.Chance(0.5)) scenario.noise = dice.Real(0, 1);
  scenario.drain = dice.Chance(0.3);
  scenario.admission = dice.Chance(0.4);
  scenario.poisoned = dice.Chance(0.3);

  const double mean_gap_ms = dice.Exponential(4);
  const bool bursty = dice.Chance(0.4);
  const bool whole_ms = dice.Chance(0.2);  // many events at one instant
  double at_ms = 0;
  for (std::size_t left = dice.Whole(20, 200); left > 0;) {
    at_ms += dice.Exponential(mean_gap_ms * (bursty ? 8 : 1));
    const TimePoint at =
        TimePoint(std::chrono::hours(1)) + FromMilliseconds(whole_ms ? std::ceil(at_ms) : at_ms);
    const std::size_t burst = std::min(left, bursty ? dice.Whole(1, 16) : 1);
    for (std::size_t i = 0; i < burst; ++i) {
      scenario.arrivals.push_back(RandomArrival(dice, scenario, at));
    }
    left -= burst;
  }
  while (dice.Chance(0.25)) {
    const TimePoint from =
        TimePoint(std::chrono::hours(1)) + FromMilliseconds(dice.Real(0, at_ms + 1));
    scenario.outages.push_back({dice.Whole(0, scenario.devices - 1), from,
                                from + FromMilliseconds(dice.Real(1, at_ms + 10))});
  }
  return scenario;
}

}  // namespace xcloud
