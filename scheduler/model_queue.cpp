#include "scheduler/model_queue.h"

#include <utility>

#include "core/status.h"

namespace xcloud {
namespace {

std::size_t ClassOf(Priority priority) {
  const auto index = static_cast<std::size_t>(priority) - static_cast<std::size_t>(Priority::kHigh);
  XC_CHECK(index < ModelQueue::kClasses);
  return index;
}

}  // namespace

ModelQueue::ModelQueue(std::size_t capacity) : capacity_(capacity) {
  XC_CHECK(capacity > 0);
}

bool ModelQueue::TryPush(ScheduledRequestPtr& request, TimePoint now) {
  XC_CHECK(request != nullptr && request->items > 0);
  if (!HasRoom(request->items)) return false;
  const WaitingKey key{request->priority, request->deadline.when(), request->arrival,
                       next_sequence_++};
  items_ += request->items;
  ++size_;
  PriorityClass& into = classes_[ClassOf(request->priority)];
  // Deadlines mostly come in order, so the end is the likely place: O(1) when it is.
  into.emplace_hint(into.end(), key, Waiting{std::move(request), now});
  return true;
}

Waiting ModelQueue::Take(const WaitingKey& key) {
  PriorityClass& from = classes_[ClassOf(key.priority)];
  const auto at = from.find(key);
  XC_CHECK(at != from.end());
  return Extract(from, at);
}

std::vector<Waiting> ModelQueue::TakeFront(std::size_t count) {
  XC_CHECK(count <= size_);
  std::vector<Waiting> taken;
  taken.reserve(count);
  for (PriorityClass& from : classes_) {
    while (taken.size() < count && !from.empty()) taken.push_back(Extract(from, from.begin()));
  }
  return taken;
}

Waiting ModelQueue::Extract(PriorityClass& from, PriorityClass::iterator at) {
  Waiting waiting = std::move(at->second);
  from.erase(at);
  items_ -= waiting.request->items;
  --size_;
  return waiting;
}

}  // namespace xcloud
