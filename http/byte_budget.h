// ByteBudget: bodies of all connections together, in bytes, bounded ([server] bodies_limit_bytes).
// BodyShare: what one request has taken of it; gives it back when the request ends.
//
// Thread safety: ByteBudget from any thread; a BodyShare belongs to its request, to one thread at a
// time. A share grows as bytes arrive, not by what a header claims, so slow senders cannot hold
// what they did not send. A fetched photo grows a share of its own, on the fetcher's thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace xcloud {

class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t limit) : limit_(limit) {}

  bool TryTake(std::uint64_t bytes) {
    const std::uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= limit_) return true;
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  void Give(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

class BodyShare {
 public:
  explicit BodyShare(ByteBudget& budget) : budget_(budget) {}
  ~BodyShare() { budget_.Give(taken_); }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;

  // Takes what is missing to `total`; false when the budget does not have it.
  bool GrowTo(std::uint64_t total) {
    if (total <= taken_) return true;
    if (!budget_.TryTake(total - taken_)) {
      refused_ = true;
      return false;
    }
    taken_ = total;
    return true;
  }
  // Whether GrowTo was ever false.
  bool refused() const { return refused_; }
  // Takes over what `other`, of the same budget, has.
  void Absorb(BodyShare& other) {
    taken_ += other.taken_;
    other.taken_ = 0;
  }

 private:
  ByteBudget& budget_;
  std::uint64_t taken_ = 0;
  bool refused_ = false;
};

}  // namespace xcloud
