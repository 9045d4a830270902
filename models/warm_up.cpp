#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "models/blank_item.h"
#include "models/buckets.h"
#include "models/network.h"
#include "models/resize_plan.h"

namespace xcloud {
namespace {

constexpr int kWarmRuns = 2;   // in each slot: the second call meets what the first one set up
constexpr int kTimedRuns = 3;  // the slowest counts: a profile that promises too much is worse
// A run that takes as long is repeated for nothing: what one run sets up for the next, and what one
// run differs from another, are a few milliseconds. Loading is several times faster for it.
constexpr Duration kLongRun = std::chrono::milliseconds(10);

Result<Duration> TimedRun(Network& network, std::size_t slot, std::span<const NetworkItem> items,
                          float* scores, const Clock& clock) {
  const TimePoint start = clock.Now();
  Status status = network.Run(slot, items, items.size(), scores);
  if (!status.ok()) return status;
  return clock.Now() - start;
}

// The slowest timed run of one size, staging included.
Result<Duration> WarmSize(Network& network, std::span<const NetworkItem> items, float* scores,
                          std::size_t slots, const Clock& clock) {
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (int run = 0; run < kWarmRuns; ++run) {
      const Result<Duration> took = TimedRun(network, slot, items, scores, clock);
      if (!took.ok()) return took.status();
      if (slots == 1 && *took >= kLongRun) break;  // on a host: the timed run is the second
    }
  }
  if (Status status = network.Record(items.size()); !status.ok()) return status;
  Duration slowest{};
  for (int run = 0; run < kTimedRuns && slowest < kLongRun; ++run) {
    const std::size_t slot = static_cast<std::size_t>(run) % slots;
    const Result<Duration> took = TimedRun(network, slot, items, scores, clock);
    if (!took.ok()) return took.status();
    slowest = std::max(slowest, *took);
  }
  return slowest;
}

// A network's time depends on the shape, not on what the photo shows. 640 x 480 stands
// for the photos that a device resizes: most are near it once decoded for a network of 224 x 224.
constexpr int kPhotoWidth = 640;
constexpr int kPhotoHeight = 480;

std::unique_ptr<const ResizableImage> GreyPhoto(const ModelDefinition& model,
                                                const Device& device) {
  if (!device.wants_decoded_images() || !model.of_pictures() || model.on_host()) return nullptr;
  Image image{kPhotoWidth, kPhotoHeight,
              std::vector<std::uint8_t>(std::size_t{kPhotoWidth} * kPhotoHeight * 3, kBlankLevel)};
  return MakeResizable(image, model.preprocess);
}

// A full batch of items that nobody sent, and room for its scores.
struct WarmItems {
  WarmItems(const Network& network, const ModelDefinition& model, const Device& device)
      : blank(model),
        image(GreyPhoto(model, device)),
        items(std::max<std::size_t>(model.batching.max_batch, 1),
              image != nullptr ? NetworkItem{nullptr, image.get(), nullptr} : blank.item()),
        scores(items.size() * network.output_size()) {}

  const BlankItem blank;
  const std::unique_ptr<const ResizableImage> image;
  const std::vector<NetworkItem> items;
  mutable std::vector<float> scores;
};

Status Failed(const Status& why, const ModelDefinition& model, const Device& device,
              std::size_t size) {
  return {why.code(), "model '" + model.name + "' failed to warm up at " + std::to_string(size) +
                          " items on " + device.name() + ": " + why.message()};
}

}  // namespace

Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const Device& device, const Clock& clock) {
  const WarmItems warm(network, model, device);
  std::vector<ProfilePoint> profile;
  for (const std::size_t size : WarmSizes(warm.items.size())) {
    const auto items = std::span(warm.items).first(size);
    Result<Duration> elapsed = WarmSize(network, items, warm.scores.data(), device.depth(), clock);
    if (!elapsed.ok()) return Failed(elapsed.status(), model, device, size);
    profile.push_back({device.name(), size, *elapsed});
  }
  network.EnterService();
  return profile;
}

Status WarmLane(Network& network, const ModelDefinition& model, const Device& device) {
  const WarmItems warm(network, model, device);
  const std::size_t size = warm.items.size();
  for (std::size_t slot = 0; slot < device.depth(); ++slot) {
    Status status = network.Run(slot, warm.items, size, warm.scores.data());
    if (!status.ok()) return Failed(status, model, device, size);
  }
  network.EnterService();
  return Status::Ok();
}

}  // namespace xcloud
