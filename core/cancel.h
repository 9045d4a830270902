// CancelToken: "the caller went away". Shared by the connection that sets it and every stage
// that asks. Any thread may call either; once set it stays set.
#pragma once

#include <atomic>
#include <memory>

namespace xcloud {

class CancelToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_release); }
  bool Cancelled() const { return cancelled_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> cancelled_{false};
};

using CancelTokenPtr = std::shared_ptr<CancelToken>;

}  // namespace xcloud
