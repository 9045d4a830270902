// BodyPool: memory that bodies are read into. BodySlot: one piece of it.
//
// A slot of kSlotBytes fits most photos; it is used again and again, so its pages are mapped
// already and nothing is zeroed first. A larger body gets memory of its own, which goes back to
// the allocator. What is received is written once, by the kernel, and read where it lies.
//
// Thread safety: BodyPool from any thread (a slot is given back by whoever drops it last, mostly a
// decode thread); a BodySlot belongs to one thread until it is shared. Slots may outlive the pool.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/mutex.h"
#include "core/shared_bytes.h"

namespace xcloud {

class BodySlot {
 public:
  explicit BodySlot(std::size_t capacity)
      : data_(std::make_unique_for_overwrite<char[]>(capacity)), capacity_(capacity) {}

  char* data() { return data_.get(); }
  std::size_t capacity() const { return capacity_; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_;
};
using BodySlotPtr = std::shared_ptr<BodySlot>;

class BodyPool {
 public:
  static constexpr std::size_t kSlotBytes = 256 * 1024;
  // Free slots that are kept: 16 MiB in all.
  static constexpr std::size_t kMaxFree = 64;

  // A slot of at least `bytes`. Its content is whatever it was.
  BodySlotPtr Take(std::size_t bytes) {
    if (bytes > kSlotBytes) return std::make_shared<BodySlot>(bytes);
    std::unique_ptr<BodySlot> slot = free_->Take();
    if (slot == nullptr) slot = std::make_unique<BodySlot>(kSlotBytes);
    return {slot.release(),
            [free = free_](BodySlot* used) { free->Give(std::unique_ptr<BodySlot>(used)); }};
  }
  std::size_t free_slots() const { return free_->size(); }

 private:
  class FreeList {
   public:
    FreeList() {
      MutexLock lock(mutex_);
      slots_.reserve(kMaxFree);
    }
    std::unique_ptr<BodySlot> Take() XC_EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (slots_.empty()) return nullptr;
      std::unique_ptr<BodySlot> slot = std::move(slots_.back());
      slots_.pop_back();
      return slot;
    }
    void Give(std::unique_ptr<BodySlot> slot) XC_EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (slots_.size() < kMaxFree) slots_.push_back(std::move(slot));
    }
    std::size_t size() const XC_EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      return slots_.size();
    }

   private:
    mutable Mutex mutex_;
    std::vector<std::unique_ptr<BodySlot>> slots_ XC_GUARDED_BY(mutex_);
  };

  // Shared with the slots that are out.
  const std::shared_ptr<FreeList> free_ = std::make_shared<FreeList>();
};

}  // namespace xcloud
