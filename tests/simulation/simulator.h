// Simulator: runs a Scenario on the policy in simulated time, and checks at each step what must
// always hold, by means of its own that look at every waiting request:
//
//   - a request goes waiting -> running -> answered, or waiting -> refused, or is turned away by
//     a full queue: none lost, none ended twice, none run after it was refused
//   - refused only when expired or cancelled; none left waiting once it has expired
//   - a batch is the head of its queue in order, fits max_batch, goes to a free lane, makes none
//     of its requests late that could have been met, and leaves none out that would have fitted
//   - of the queues that keep no delay, the one whose head is first is served
//   - while a lane is free nothing waits but within the delay and the budget of its model
//   - look_again is exactly the first instant at which something is due, later than now; a wake
//     at that instant is never for nothing
//   - a queue never holds more than its bound
//
// One run, one thread. Deterministic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "scheduler/model_queue.h"
#include "scheduler/policy.h"
#include "scheduler/profile.h"
#include "tests/simulation/scenario.h"

namespace xcloud {

struct SimStats {
  std::size_t answered = 0;
  std::size_t refused = 0;
  std::size_t turned_away = 0;
  std::size_t batches = 0;
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
  enum class State { kUnborn, kWaiting, kRunning, kAnswered, kRefused, kTurnedAway };
  enum class EventKind { kArrive, kCancel, kLaneDone };
  struct Event {
    TimePoint at;
    std::uint64_t order = 0;
    EventKind kind = EventKind::kArrive;
    std::size_t index = 0;  // of the request, or of the lane
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Record {
    State state = State::kUnborn;
    TimePoint enqueued;
    TimePoint started;
    std::uint64_t sequence = 0;
    bool cancelled = false;
  };
  struct Lane {
    std::size_t model = 0;
    std::size_t items = 0;
    Duration time{};
    std::vector<std::size_t> requests;
  };
  class SimRequest;

  void AddEvent(TimePoint at, EventKind kind, std::size_t index);
  void Handle(const Event& event);
  void Arrive(std::size_t request);
  void LaneDone(std::size_t lane);
  void DecideUntilSettled(bool timer_alone);
  void ApplyRefusal(const PolicyRefusal& refusal);
  void ApplyStart(const PolicyStart& start);

  void CheckBatch(const PolicyStart& start, const std::vector<std::size_t>& order);
  void CheckBatchSize(const PolicyStart& start, const std::vector<std::size_t>& order);
  void CheckNobodyIsBefore(std::size_t model, std::size_t head);
  void CheckSettled(const PolicyDecision& decision);
  TimePoint DelayEndsAt(std::size_t model);

  void Expect(bool condition, const char* what);
  void Move(std::size_t request, State from, State to);
  bool Draining() const;
  bool AnyLaneFree() const;
  Duration FastestFree(std::size_t model, std::size_t items) const;
  // Requests of the model that wait, in the order in which they must be served.
  std::vector<std::size_t> InOrder(std::size_t model) const;

  const Scenario& scenario_;
  std::mt19937_64 noise_;
  TimePoint now_;
  TimePoint look_again_ = TimePoint::max();
  bool cancelled_since_decision_ = false;
  std::uint64_t next_order_ = 0;
  std::uint64_t starts_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Record> records_;
  std::vector<std::vector<std::size_t>> waiting_;  // by model, unordered: the checks' own list
  std::vector<std::unique_ptr<ModelQueue>> queues_;
  std::vector<std::unique_ptr<BatchProfile>> profiles_;
  std::vector<QueueView> views_;
  std::vector<LaneView> lane_views_;
  std::vector<Lane> lanes_;
  std::optional<std::string> violation_;
  SimStats stats_;
};

}  // namespace xcloud
