#include "bench/policies/policy_simulator.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "core/status.h"

namespace xcloud {
namespace {

class Simulator {
 public:
  Simulator(const Scenario& scenario, std::span<const SimRequest> arrivals, std::size_t skip,
            std::uint64_t seed, BenchPolicy& policy)
      : scenario_(scenario),
        arrivals_(arrivals),
        skip_(skip),
        policy_(policy),
        jitter_engine_(seed),
        lanes_(scenario.lanes),
        fates_(arrivals.size(), Fate::kComing) {}

  SimResult Run() {
    for (TimePoint now = NextEvent(); now != TimePoint::max(); now = NextEvent()) {
      for (Lane& lane : lanes_) {
        if (lane.ends <= now) Finish(lane);
      }
      for (; next_ < arrivals_.size() && arrivals_[next_].arrival <= now; ++next_) Arrive(now);
      Act(now);
    }
    for (const SimRequest& request : arrivals_) {
      if (fates_[request.id] == Fate::kWaits) result_.unserved += Counts(request.id) ? 1 : 0;
    }
    return result_;
  }

 private:
  enum class Fate : std::uint8_t { kComing, kWaits, kRuns, kOver };
  struct Lane {
    SimStart batch;
    TimePoint begins;
    TimePoint ends = TimePoint::max();  // max() = free
  };

  bool Counts(std::uint32_t id) const { return id >= skip_; }

  void Move(std::uint32_t id, Fate from, Fate to) {
    XC_CHECK(id < fates_.size() && fates_[id] == from);
    fates_[id] = to;
  }

  TimePoint NextEvent() const {
    TimePoint next = look_again_;
    if (next_ < arrivals_.size()) next = std::min(next, arrivals_[next_].arrival);
    for (const Lane& lane : lanes_) next = std::min(next, lane.ends);
    return next;
  }

  void Arrive(TimePoint now) {
    const SimRequest& request = arrivals_[next_];
    XC_CHECK(request.id == next_);
    const bool admitted = policy_.Admit(request, now);
    Move(request.id, Fate::kComing, admitted ? Fate::kWaits : Fate::kOver);
    if (!Counts(request.id)) return;
    ++result_.offered;
    result_.refused += admitted ? 0 : 1;
  }

  void Act(TimePoint now) {
    while (true) {
      SimAct act = policy_.Decide(now);
      for (const std::uint32_t id : act.dropped) {
        Move(id, Fate::kWaits, Fate::kOver);
        result_.dropped += Counts(id) ? 1 : 0;
      }
      if (act.start) Begin(std::move(*act.start), now);
      if (act.Nothing()) {
        XC_CHECK(act.look_again > now);
        look_again_ = act.look_again;
        return;
      }
    }
  }

  void Begin(SimStart batch, TimePoint now) {
    XC_CHECK(batch.lane < lanes_.size() && lanes_[batch.lane].ends == TimePoint::max());
    XC_CHECK(!batch.ids.empty() && batch.ids.size() <= batch.run_items &&
             batch.run_items <= scenario_.max_batch);
    for (const std::uint32_t id : batch.ids) {
      Move(id, Fate::kWaits, Fate::kRuns);
      XC_CHECK(arrivals_[id].model == batch.model);
    }
    ++result_.batches;
    result_.batch_items += batch.ids.size();
    Lane& lane = lanes_[batch.lane];
    lane.begins = now;
    lane.ends = now + BatchTime(batch.run_items);
    lane.batch = std::move(batch);
  }

  Duration BatchTime(std::size_t items) {
    if (scenario_.jitter <= 0) return scenario_.times.Of(items);
    const double unit = static_cast<double>(jitter_engine_() >> 11) * 0x1p-53;
    return FromMilliseconds(scenario_.times.Ms(items) * (1 + scenario_.jitter * (2 * unit - 1)));
  }

  void Finish(Lane& lane) {
    const TimePoint at = std::exchange(lane.ends, TimePoint::max());
    for (const std::uint32_t id : lane.batch.ids) {
      Move(id, Fate::kRuns, Fate::kOver);
      if (!Counts(id)) continue;
      ++result_.served;
      result_.in_slo += at <= arrivals_[id].deadline ? 1 : 0;
      result_.latency_sum_ms += ToMilliseconds(at - arrivals_[id].arrival);
    }
    policy_.Finished(lane.batch, at - lane.begins, at);
  }

  const Scenario& scenario_;
  const std::span<const SimRequest> arrivals_;
  const std::size_t skip_;
  BenchPolicy& policy_;
  std::mt19937_64 jitter_engine_;
  std::vector<Lane> lanes_;
  std::vector<Fate> fates_;  // by id
  std::size_t next_ = 0;
  TimePoint look_again_ = TimePoint::max();
  SimResult result_;
};

double Ratio(double part, std::uint64_t of) {
  return of > 0 ? part / static_cast<double>(of) : 0;
}

}  // namespace

double SimResult::in_slo_share() const {
  return Ratio(static_cast<double>(in_slo), offered);
}
double SimResult::refused_share() const {
  return Ratio(static_cast<double>(refused), offered);
}
double SimResult::dropped_share() const {
  return Ratio(static_cast<double>(dropped), offered);
}
double SimResult::mean_latency_ms() const {
  return Ratio(latency_sum_ms, served);
}
double SimResult::mean_batch() const {
  return Ratio(static_cast<double>(batch_items), batches);
}

SimResult& SimResult::operator+=(const SimResult& other) {
  offered += other.offered;
  served += other.served;
  in_slo += other.in_slo;
  refused += other.refused;
  dropped += other.dropped;
  unserved += other.unserved;
  latency_sum_ms += other.latency_sum_ms;
  batches += other.batches;
  batch_items += other.batch_items;
  return *this;
}

SimResult SimulatePolicy(const Scenario& scenario, std::span<const SimRequest> arrivals,
                         std::size_t skip, std::uint64_t seed, BenchPolicy& policy) {
  return Simulator(scenario, arrivals, skip, seed, policy).Run();
}

}  // namespace xcloud
