#include "scheduler/model_queue.h"

#include <utility>

#include "core/status.h"

namespace xcloud {

ModelQueue::ModelQueue(std::size_t capacity) : capacity_(capacity) {
  XC_CHECK(capacity > 0);
}

void ModelQueue::SetCapacity(std::size_t capacity) {
  XC_CHECK(capacity > 0);
  capacity_ = capacity;
}

std::size_t ModelQueue::ClassOf(Priority priority) {
  const auto index = static_cast<std::size_t>(priority) - static_cast<std::size_t>(Priority::kHigh);
  XC_CHECK(index < kClasses);
  return index;
}

bool ModelQueue::TryPush(ScheduledRequestPtr& request, TimePoint now, Duration patience,
                         bool probe) {
  XC_CHECK(request != nullptr && request->items > 0);
  if (!HasRoom(request->items)) return false;
  Waiting waiting;
  waiting.part.items = request->items;
  waiting.part.request = std::move(request);
  waiting.enqueued = now;
  waiting.probe = probe;
  Insert(std::move(waiting), patience);
  return true;
}

void ModelQueue::PushBack(std::vector<Waiting> parts, bool grouped, Duration patience) {
  const std::uint32_t group = grouped ? next_group_++ : 0;
  for (Waiting& part : parts) {
    part.group = group;
    Insert(std::move(part), patience);
  }
}

void ModelQueue::Insert(Waiting waiting, Duration patience) {
  const ScheduledRequest& request = *waiting.part.request;
  const bool has_deadline = request.deadline.IsSet();
  const TimePoint due = has_deadline ? request.deadline.when() : request.arrival + patience;
  const WaitingKey key{request.priority, due, request.arrival, next_sequence_++};
  const std::size_t index = ClassOf(request.priority);
  items_ += waiting.part.items;
  class_items_[index] += waiting.part.items;
  ++size_;
  if (waiting.group != 0) groups_[waiting.group].insert(key);
  // Deadlines mostly come in order, so the end is the likely place: O(1) when it is.
  if (has_deadline) deadlines_.emplace_hint(deadlines_.end(), due, key);
  classes_[index].emplace_hint(classes_[index].end(), key, std::move(waiting));
}

const Waiting& ModelQueue::At(const WaitingKey& key) const {
  const PriorityClass& in_class = classes_[ClassOf(key.priority)];
  const auto at = in_class.find(key);
  XC_CHECK(at != in_class.end());
  return at->second;
}

Waiting ModelQueue::Take(WaitingKey key) {
  PriorityClass& from = classes_[ClassOf(key.priority)];
  const auto at = from.find(key);
  XC_CHECK(at != from.end());
  Waiting waiting = std::move(at->second);
  from.erase(at);
  --size_;
  CountOut(key, waiting.part.items);
  if (waiting.part.request->deadline.IsSet()) deadlines_.erase({key.due, key});
  if (waiting.group != 0) {
    const auto group = groups_.find(waiting.group);
    group->second.erase(key);
    if (group->second.empty()) groups_.erase(group);
  }
  return waiting;
}

Waiting ModelQueue::Take(WaitingKey key, std::size_t items) {
  PriorityClass& from = classes_[ClassOf(key.priority)];
  const auto at = from.find(key);
  XC_CHECK(at != from.end() && items > 0 && items <= at->second.part.items);
  if (items == at->second.part.items) return Take(key);
  Waiting taken = at->second;
  taken.part.items = items;
  at->second.part.first += items;
  at->second.part.items -= items;
  CountOut(key, items);
  return taken;
}

std::vector<Waiting> ModelQueue::TakeAll() {
  std::vector<Waiting> taken;
  taken.reserve(size_);
  for (PriorityClass& from : classes_) {
    while (!from.empty()) taken.push_back(Take(from.begin()->first));
  }
  return taken;
}

void ModelQueue::CountOut(const WaitingKey& key, std::size_t items) {
  items_ -= items;
  class_items_[ClassOf(key.priority)] -= items;
}

}  // namespace xcloud
