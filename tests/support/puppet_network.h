// PuppetNetwork: a Network on a FakeClock: staging takes 2 ms, the forward 3 ms. An item's best of
// four classes is its first byte. A first byte of kPoison fails the batch; `broken` fails all.
//
// Gates hold a thread in a step; Launch counts at `launched`. Fields are set before the lane runs.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "models/network.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_device.h"

namespace xcloud {

class PuppetNetwork final : public Network {
 public:
  static constexpr std::uint8_t kPoison = 99;
  static constexpr int kGrey = 128;  // the self test's photo

  explicit PuppetNetwork(FakeClock& clock) : clock_(clock) { launched.Open(); }

  std::size_t output_size() const override { return 4; }
  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    std::vector<int> bytes;
    for (const NetworkItem& item : items) bytes.push_back(item.pixels[0]);
    slots_[slot] = bytes;
    MutexLock lock(mutex_);
    staged_.push_back(bytes);
    run_items_.push_back(run_items);
    threads_.insert(std::this_thread::get_id());
    clock_.Advance(std::chrono::milliseconds(2));
    return fails_staging && bytes.front() != kGrey ? Status::Internal("no memory") : Status::Ok();
  }
  Status Launch(std::size_t) override {
    launched.Pass();
    return Status::Ok();
  }
  Status Collect(std::size_t slot, float* scores) override {
    const std::vector<int> bytes = slots_[slot];
    if (collecting != nullptr) collecting->Pass();
    clock_.Advance(std::chrono::milliseconds(3));
    {
      MutexLock lock(mutex_);
      threads_.insert(std::this_thread::get_id());
    }
    const bool poisoned = std::find(bytes.begin(), bytes.end(), kPoison) != bytes.end();
    if (broken || poisoned) return Status::Internal("model 'm' failed on this batch");
    std::fill_n(scores, bytes.size() * 4, 0.0F);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] < 4) scores[i * 4 + static_cast<std::size_t>(bytes[i])] = 9.0F;
      if (bytes[i] == nan_class) scores[i * 4] = std::nanf("");
    }
    return Status::Ok();
  }

  // First bytes, batch by batch; self tests are {kGrey}.
  std::vector<std::vector<int>> staged() const {
    MutexLock lock(mutex_);
    return staged_;
  }
  std::vector<std::size_t> run_items() const {
    MutexLock lock(mutex_);
    return run_items_;
  }
  std::set<std::thread::id> threads() const {
    MutexLock lock(mutex_);
    return threads_;
  }

  std::atomic<bool> broken{false};
  std::atomic<bool> fails_staging{false};  // but for the self test's photo
  int nan_class = -1;  // an item of this class gets a score that is not a number
  Gate* collecting = nullptr;
  Gate launched;

 private:
  FakeClock& clock_;
  std::array<std::vector<int>, 2> slots_;
  mutable Mutex mutex_;
  std::vector<std::vector<int>> staged_ XC_GUARDED_BY(mutex_);
  std::vector<std::size_t> run_items_ XC_GUARDED_BY(mutex_);
  std::set<std::thread::id> threads_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
