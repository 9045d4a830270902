#include "models/null_backend.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <utility>

namespace xcloud {
namespace {

// Item i's share falls as 1/(i+1): no two are equal, so any top-k has one right order. Given as
// logits where a softmax follows.
std::vector<float> FixedScores(std::size_t labels, Activation activation) {
  double sum = 0;
  for (std::size_t i = 0; i < labels; ++i) sum += 1.0 / static_cast<double>(i + 1);
  std::vector<float> scores(labels);
  for (std::size_t i = 0; i < labels; ++i) {
    const double share = 1.0 / (static_cast<double>(i + 1) * sum);
    scores[i] = static_cast<float>(activation == Activation::kSoftmax ? std::log(share) : share);
  }
  return scores;
}

class NullNetwork final : public Network {
 public:
  NullNetwork(const ModelDefinition& model, SleepFor sleep)
      : sleep_(std::move(sleep)),
        base_ms_(model.null_backend.base_ms),
        item_ms_(model.null_backend.item_ms),
        scores_(FixedScores(model.score_count(), model.activation)) {}

  std::size_t output_size() const override { return scores_.size(); }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(slot < slots_.size() && !items.empty() && items.size() <= run_items);
    slots_[slot] = {items.size(), run_items};
    return Status::Ok();
  }

  // The declared time passes here, so that batches of two slots take their turns as on a device.
  Status Collect(std::size_t slot, float* scores) override {
    const Staged& staged = slots_[slot];
    const double batch_ms = base_ms_ + item_ms_ * static_cast<double>(staged.run_items);
    if (batch_ms > 0) sleep_(FromMilliseconds(batch_ms));
    for (std::size_t i = 0; i < staged.items; ++i) {
      std::copy(scores_.begin(), scores_.end(), scores + i * scores_.size());
    }
    return Status::Ok();
  }

 private:
  struct Staged {
    std::size_t items = 0;
    std::size_t run_items = 0;
  };
  const SleepFor sleep_;
  const double base_ms_;
  const double item_ms_;
  const std::vector<float> scores_;
  std::array<Staged, 2> slots_;
};

}  // namespace

Result<std::vector<std::unique_ptr<Network>>> MakeNullNetworks(const ModelDefinition& model,
                                                               std::size_t lanes, SleepFor sleep) {
  if (model.score_count() == 0 && !model.echoes()) {
    return Status::InvalidArgument("model '" + model.name + "': the null backend needs labels");
  }
  if (model.null_backend.base_ms < 0 || model.null_backend.item_ms < 0) {
    return Status::InvalidArgument("model '" + model.name + "': a batch cannot take negative time");
  }
  std::vector<std::unique_ptr<Network>> networks;
  for (std::size_t i = 0; i < lanes; ++i) {
    networks.push_back(std::make_unique<NullNetwork>(model, sleep));
  }
  return networks;
}

void SleepPrecisely(Duration time) {
  constexpr long kSecond = 1'000'000'000;
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const long nanoseconds = until.tv_nsec + time.count() % kSecond;
  until.tv_sec += time.count() / kSecond + nanoseconds / kSecond;
  until.tv_nsec = nanoseconds % kSecond;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

void UsePreciseTimers() {
  // Best effort: a kernel that refuses leaves the waits up to 50 us late, nothing worse.
  (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // nanoseconds
}

}  // namespace xcloud
