// Candidate: a file of a model on a CPU device of its own, as the server would run it: to compare
// its scores with the reference's, and to time it.
//
// Not thread safe; its methods start the device's lanes as threads of their own and wait for them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "models/network.h"
#include "models/optimize/chosen_variant.h"

namespace xcloud {

// How cores are shared out.
struct LaneLayout {
  std::size_t lanes = 1;
  std::size_t threads = 1;  // of a lane
};

// What the server does without any [[device]] (models/devices.cpp): a lane a core, four at most.
LaneLayout DefaultLayout();

// Some batches on every lane at once.
struct TimedRun {
  std::vector<double> batch_ms;  // each batch of each lane, staging included
  double items_per_second = 0;   // of all lanes
};

class Candidate {
 public:
  // Errors: what Device::MakeNetworks says.
  static Result<std::unique_ptr<Candidate>> Load(const ServedFile& file, LaneLayout layout);

  // Raw scores, item by item, in batches of max_batch on one lane. Internal when a batch fails.
  Result<std::vector<float>> Scores(std::span<const NetworkItem> items);

  // Batches of `batch` items, taken in turn from `items`, for `seconds` at least and twice at least
  // on each lane, after one that is not counted.
  Result<TimedRun> Time(std::span<const NetworkItem> items, std::size_t batch, double seconds);

 private:
  Candidate() = default;

  SystemClock clock_;
  std::size_t max_batch_ = 1;
  std::unique_ptr<Device> device_;
  std::vector<std::unique_ptr<Network>> networks_;
};

}  // namespace xcloud
