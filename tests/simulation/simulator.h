// Simulator: runs a Scenario on the policy in simulated time, and checks at each step what must
// always hold, by means of its own that look at every waiting part:
//
//   - each item of a request that was taken is ended once: answered or refused; none is lost, none
//     ended twice, none run after it was refused
//   - refused only when expired, cancelled, too late for the fastest device, shed while a larger
//     window waited, or poison that failed alone; nothing waits past its deadline
//   - a batch fits max_batch, goes to a lane that has room on a device that is well, is in order,
//     makes none of its parts late, runs nothing that has expired or was cancelled, and leaves
//     none out that would have fitted
//   - within a priority, of the queues that keep no delay, the one that must start first is
//     served, unless it is ahead of its fair share of lane time
//   - a ready priority is passed over by no more than kTurn batches in a row (one more when two of
//     them are due at once)
//   - while a lane is free nothing waits but within the delay or the deferral of its model, or for
//     a faster device that alone can make it
//   - look_again is later than now once nothing is left to do, and never past a deadline
//   - a queue takes no more than its bound
//
// One run, one thread. Deterministic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "scheduler/admission.h"
#include "scheduler/fair_share.h"
#include "scheduler/model_queue.h"
#include "scheduler/policy.h"
#include "scheduler/profile.h"
#include "tests/simulation/scenario.h"

namespace xcloud {

struct SimStats {
  std::size_t answered = 0;  // requests, whole
  std::size_t refused = 0;   // requests, in part or whole
  std::size_t turned_away = 0;
  std::size_t batches = 0;
  std::size_t split = 0;      // requests that were answered by more than one batch
  std::size_t retried = 0;    // batches that came back
  std::size_t shed = 0;       // parts
  std::size_t poison = 0;     // requests that failed alone
  std::size_t padded = 0;     // batches
  std::size_t probes = 0;     // requests that were let in against the profile
  double wait_ms_sum = 0;     // arrival to start, of those answered
  double latency_ms_sum = 0;  // arrival to answer
  double MeanWaitMs() const { return wait_ms_sum / static_cast<double>(answered); }
  double MeanLatencyMs() const { return latency_ms_sum / static_cast<double>(answered); }
};

class Simulator {
 public:
  // The scenario must outlive it.
  explicit Simulator(const Scenario& scenario);

  // Runs to the end; says what was violated first, or nothing.
  std::optional<std::string> Run();
  const SimStats& stats() const { return stats_; }

 private:
  enum class EventKind { kArrive, kCancel, kLaneDone, kOutageBegins, kOutageEnds };
  struct Event {
    TimePoint at;
    std::uint64_t order = 0;
    EventKind kind = EventKind::kArrive;
    std::size_t index = 0;  // of the request, the lane or the outage
    std::uint64_t run = 0;  // kLaneDone: a run that was taken back is over already
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Record {
    bool arrived = false;
    bool turned_away = false;
    bool cancelled = false;
    std::size_t answered = 0;  // items
    std::size_t refused = 0;   // items
    std::size_t runs = 0;      // batches that answered some
    TimePoint started;         // of the first
  };
  struct LaneRun {
    std::uint64_t id = 0;
    std::size_t model = 0;
    std::vector<Waiting> parts;
    std::size_t items = 0;
    std::size_t run_items = 0;
    TimePoint begins;
    Duration time{};
    Duration expected{};
  };
  class SimRequest;

  void AddEvent(TimePoint at, EventKind kind, std::size_t index, std::uint64_t run = 0);
  void Handle(const Event& event);
  void Arrive(std::size_t request);
  bool Admitted(std::size_t request, bool* probe);
  void LaneDone(std::size_t lane, std::uint64_t run);
  void Answer(LaneRun& run);
  void FailPoison(LaneRun& run);
  void BeginOutage(std::size_t device);
  void SetUsable(std::size_t device);
  void RefreshLane(std::size_t lane);
  void DecideUntilSettled();
  void ApplyRefusal(const PolicyRefusal& refusal);
  void ApplyStart(const PolicyStart& start);
  std::size_t IdOf(const Waiting& waiting) const;
  void EndItems(std::size_t id, std::size_t answered, std::size_t refused);

  // simulator_checks.cpp
  void CheckRefusal(const PolicyRefusal& refusal);
  void CheckStart(const PolicyStart& start);
  void CheckOrder(const PolicyStart& start);
  void CheckLeftOut(const PolicyStart& start);
  void CheckTurn(const PolicyStart& start);
  void CheckNobodyIsBefore(const PolicyStart& start);
  void CheckSettled(const PolicyDecision& decision);
  bool IsOver(std::size_t model, const WaitingKey& key, const Waiting& waiting) const;
  bool FitsSomeIdleLane(std::size_t model, const WaitingKey& key, const Waiting& waiting) const;
  bool FitsSomeLane(std::size_t model, const WaitingKey& key, const Waiting& waiting,
                    std::size_t room) const;
  bool Holds(std::size_t model) const;
  bool MakesOthersLate(const PolicyStart& start, TimePoint finish) const;
  TimePoint FinishOn(std::size_t lane, std::size_t model, std::size_t items) const;

  void Expect(bool condition, const char* what);
  bool Draining() const;

  const Scenario& scenario_;
  std::mt19937_64 noise_;
  TimePoint now_;
  TimePoint look_again_ = TimePoint::max();
  std::uint64_t next_order_ = 0;
  std::uint64_t starts_ = 0;
  std::uint64_t next_run_ = 1;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Record> records_;
  std::vector<std::unique_ptr<ModelQueue>> queues_;
  std::vector<std::unique_ptr<BatchProfile>> profiles_;
  std::vector<QueueView> views_;
  std::vector<std::size_t> running_;    // batches, by model
  std::vector<TimePoint> last_finish_;  // by model
  std::vector<LaneView> lane_views_;
  std::vector<std::vector<LaneRun>> lanes_;
  std::vector<int> outages_;  // that hold now, by device
  FairShare fair_share_;
  PassedOver passed_over_{};
  bool turn_was_due_ = false;  // before the decision that is being checked
  bool refused_now_ = false;   // by it, anybody
  bool shed_now_ = false;      // by it
  std::array<std::uint32_t, ModelQueue::kClasses> in_a_row_{};  // the checks' own count
  std::optional<std::string> violation_;
  SimStats stats_;
};

}  // namespace xcloud
