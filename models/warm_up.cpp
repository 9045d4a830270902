#include <algorithm>
#include <string>
#include <vector>

#include "models/buckets.h"
#include "models/network.h"

namespace xcloud {
namespace {

constexpr int kWarmRuns = 2;   // TorchScript's profiling executor compiles on the second call
constexpr int kTimedRuns = 3;  // the slowest counts: a profile that promises too much is worse

// The slowest timed run of one bucket, staging included.
Result<Duration> WarmBucket(Network& network, std::span<const std::uint8_t* const> items,
                            float* scores, const Clock& clock) {
  Duration slowest{};
  for (int run = 0; run < kWarmRuns + kTimedRuns; ++run) {
    const TimePoint start = clock.Now();
    TimePoint forward_start;
    if (Status status = network.Run(items, scores, &forward_start); !status.ok()) return status;
    if (run >= kWarmRuns) slowest = std::max(slowest, clock.Now() - start);
  }
  return slowest;
}

// CPU lanes run the very size that comes, so small sizes are all met here and not by a caller.
constexpr std::size_t kEverySizeUpTo = 8;
std::vector<std::size_t> WarmSizes(std::size_t max_batch) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 1; n <= std::min(max_batch, kEverySizeUpTo); ++n) sizes.push_back(n);
  for (const std::size_t bucket : BatchBuckets(max_batch)) {
    if (bucket > kEverySizeUpTo) sizes.push_back(bucket);
  }
  return sizes;
}

}  // namespace

Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const std::string& device, const Clock& clock) {
  const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
  // Mid-grey: a network's time depends on the shape, not on what the photo shows.
  const std::vector<std::uint8_t> photo(model.preprocess.PixelBytes(), 128);
  const std::vector<const std::uint8_t*> items(max_batch, photo.data());
  std::vector<float> scores(max_batch * network.output_size());
  std::vector<ProfilePoint> profile;
  for (const std::size_t bucket : WarmSizes(max_batch)) {
    Result<Duration> elapsed =
        WarmBucket(network, std::span(items).first(bucket), scores.data(), clock);
    if (!elapsed.ok()) {
      return Status(elapsed.status().code(), "model '" + model.name + "' failed to warm up at " +
                                                 std::to_string(bucket) + " items on " + device +
                                                 ": " + elapsed.status().message());
    }
    profile.push_back({device, bucket, *elapsed});
  }
  return profile;
}

}  // namespace xcloud
