// ModelQueue: the requests of one model that wait, in the order in which they are to be served:
// priority, then deadline, then arrival, then the order of coming in.
//
// One ordered map per priority, so that the most urgent request and the earliest deadline (one
// of three heads) are both found in O(1), whatever waits behind them. Push and Take are
// O(log n). At 10,000 requests/s the nodes cost well under 1 % of a core; a flat array would
// make each late deadline an O(n) insert.
//
// Invariants: items() is the sum of the requests' items and never passes capacity.
// Not thread-safe: guarded by its owner (DynamicBatcher's lock, or a simulator).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "core/clock.h"
#include "core/scheduled_request.h"

namespace xcloud {

// Orders and names one waiting request. Unique: no two pushes get the same sequence.
struct WaitingKey {
  Priority priority = Priority::kNormal;
  TimePoint deadline;  // TimePoint::max() = none
  TimePoint arrival;
  std::uint64_t sequence = 0;
  friend bool operator<(const WaitingKey& a, const WaitingKey& b) {
    return std::tie(a.priority, a.deadline, a.arrival, a.sequence) <
           std::tie(b.priority, b.deadline, b.arrival, b.sequence);
  }
};

struct Waiting {
  ScheduledRequestPtr request;
  TimePoint enqueued;
};

class ModelQueue {
 public:
  using PriorityClass = std::map<WaitingKey, Waiting>;
  static constexpr std::size_t kClasses = 3;

  // REQUIRES: capacity > 0 (items).
  explicit ModelQueue(std::size_t capacity);

  bool HasRoom(std::size_t items) const { return items <= capacity_ - items_; }
  // Takes the request exactly when the result is true; a full queue leaves it untouched.
  [[nodiscard]] bool TryPush(ScheduledRequestPtr& request, TimePoint now);

  // REQUIRES: `key` waits.
  Waiting Take(const WaitingKey& key);
  // The first `count` in order. REQUIRES: count <= size().
  std::vector<Waiting> TakeFront(std::size_t count);
  std::vector<Waiting> TakeAll() { return TakeFront(size_); }

  // Class 0 is the most urgent. Within a class, begin() has the earliest deadline.
  const PriorityClass& InClass(std::size_t index) const { return classes_[index]; }

  std::size_t items() const { return items_; }
  std::size_t size() const { return size_; }  // requests
  std::size_t capacity() const { return capacity_; }

 private:
  Waiting Extract(PriorityClass& from, PriorityClass::iterator at);

  const std::size_t capacity_;
  std::array<PriorityClass, kClasses> classes_;
  std::size_t items_ = 0;
  std::size_t size_ = 0;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace xcloud
