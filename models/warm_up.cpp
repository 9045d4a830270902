#include <algorithm>
#include <string>
#include <vector>

#include "models/buckets.h"
#include "models/network.h"

namespace xcloud {
namespace {

constexpr int kWarmRuns = 2;   // in each slot: the second call meets what the first one set up
constexpr int kTimedRuns = 3;  // the slowest counts: a profile that promises too much is worse

// The slowest timed run of one size, staging included.
Result<Duration> WarmSize(Network& network, std::span<const NetworkItem> items, float* scores,
                          std::size_t slots, const Clock& clock) {
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (int run = 0; run < kWarmRuns; ++run) {
      Status status = network.Run(slot, items, items.size(), scores);
      if (!status.ok()) return status;
    }
  }
  if (Status status = network.Record(items.size()); !status.ok()) return status;
  Duration slowest{};
  for (int run = 0; run < kTimedRuns; ++run) {
    const TimePoint start = clock.Now();
    const std::size_t slot = static_cast<std::size_t>(run) % slots;
    Status status = network.Run(slot, items, items.size(), scores);
    if (!status.ok()) return status;
    slowest = std::max(slowest, clock.Now() - start);
  }
  return slowest;
}

}  // namespace

Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const std::string& device, std::size_t slots,
                                         const Clock& clock) {
  const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
  // Mid-grey: a network's time depends on the shape, not on what the photo shows.
  const std::vector<std::uint8_t> photo(model.preprocess.PixelBytes(), 128);
  const std::vector<NetworkItem> items(max_batch, NetworkItem{photo.data(), nullptr});
  std::vector<float> scores(max_batch * network.output_size());
  std::vector<ProfilePoint> profile;
  for (const std::size_t size : WarmSizes(max_batch)) {
    Result<Duration> elapsed =
        WarmSize(network, std::span(items).first(size), scores.data(), slots, clock);
    if (!elapsed.ok()) {
      return Status(elapsed.status().code(), "model '" + model.name + "' failed to warm up at " +
                                                 std::to_string(size) + " items on " + device +
                                                 ": " + elapsed.status().message());
    }
    profile.push_back({device, size, *elapsed});
  }
  network.EnterService();
  return profile;
}

}  // namespace xcloud
