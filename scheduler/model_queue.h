// ModelQueue: the requests of one model that wait, in the order in which they are to be served:
// priority, then due, then arrival, then the order of coming in. Due is the deadline; a request
// without one is due after its model's patience, so that it is not passed over for ever.
//
// What waits is a part of a request: consecutive items. Most requests are one part; one with more
// items than a batch holds leaves in several. Parts of a batch that failed come back as a group:
// they run together and with nobody else, until the culprit is found.
//
// One ordered map per priority, so that the most urgent is found in O(1), whatever waits behind
// it, and one ordered set of the deadlines. Push and Take are O(log n). At 10,000 requests/s the
// nodes cost well under 1 % of a core; a flat array would make each late deadline an O(n) insert.
//
// Invariants: items() is the sum of the parts' items; Push never lets it pass capacity (parts
// that come back may, since they were let in before).
// Not thread-safe: guarded by its owner (DynamicBatcher's lock, or a simulator).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/scheduled_request.h"

namespace xcloud {

// Orders and names one waiting part. Unique: no two pushes get the same sequence.
struct WaitingKey {
  Priority priority = Priority::kNormal;
  TimePoint due;
  TimePoint arrival;
  std::uint64_t sequence = 0;
  friend bool operator<(const WaitingKey& a, const WaitingKey& b) {
    return std::tie(a.priority, a.due, a.arrival, a.sequence) <
           std::tie(b.priority, b.due, b.arrival, b.sequence);
  }
  friend bool operator==(const WaitingKey& a, const WaitingKey& b) {
    return a.sequence == b.sequence;
  }
};

struct Waiting {
  BatchPart part;
  TimePoint enqueued;
  std::uint32_t group = 0;    // 0 = none; else it runs with its group alone
  bool device_retry = false;  // its device failed under it once already
  bool probe = false;         // let in against the profile: never dropped for being late
};

class ModelQueue {
 public:
  using PriorityClass = std::map<WaitingKey, Waiting>;
  using Deadlines = std::set<std::pair<TimePoint, WaitingKey>>;
  static constexpr std::size_t kClasses = 3;

  // REQUIRES: capacity > 0 (items).
  explicit ModelQueue(std::size_t capacity);

  // Nothing that waits is lost when it shrinks. REQUIRES: capacity > 0.
  void SetCapacity(std::size_t capacity);

  bool HasRoom(std::size_t items) const {
    return items_ <= capacity_ && items <= capacity_ - items_;
  }
  // Takes the request exactly when the result is true; a full queue leaves it untouched.
  [[nodiscard]] bool TryPush(ScheduledRequestPtr& request, TimePoint now, Duration patience,
                             bool probe = false);
  // The parts of a batch that failed: as one group when `grouped`. Beyond the capacity if need be.
  void PushBack(std::vector<Waiting> parts, bool grouped, Duration patience);

  // The whole part, or only its first items; the rest waits on under the same key. REQUIRES: `key`
  // waits; 1 <= items <= what it has.
  Waiting Take(WaitingKey key);  // by value: the one in the queue dies with the part
  Waiting Take(WaitingKey key, std::size_t items);
  std::vector<Waiting> TakeAll();

  // Class 0 is the most urgent. In order.
  const PriorityClass& InClass(std::size_t index) const { return classes_[index]; }
  // Of the parts that have one, the earliest first.
  const Deadlines& deadlines() const { return deadlines_; }
  const Waiting& At(const WaitingKey& key) const;
  // In order. REQUIRES: the group waits.
  const std::set<WaitingKey>& Group(std::uint32_t group) const { return groups_.at(group); }

  std::size_t items() const { return items_; }
  std::size_t ItemsInClass(std::size_t index) const { return class_items_[index]; }
  std::size_t size() const { return size_; }  // parts
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }

  static std::size_t ClassOf(Priority priority);

 private:
  void Insert(Waiting waiting, Duration patience);
  void CountOut(const WaitingKey& key, std::size_t items);

  std::size_t capacity_;
  std::array<PriorityClass, kClasses> classes_;
  std::array<std::size_t, kClasses> class_items_{};
  Deadlines deadlines_;
  std::map<std::uint32_t, std::set<WaitingKey>> groups_;
  std::size_t items_ = 0;
  std::size_t size_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::uint32_t next_group_ = 1;
};

}  // namespace xcloud
