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

}  // namespace

Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const Device& device, const Clock& clock) {
  const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
  const BlankItem blank(model);
  const std::unique_ptr<const ResizableImage> image = GreyPhoto(model, device);
  const NetworkItem item =
      image != nullptr ? NetworkItem{nullptr, image.get(), nullptr} : blank.item();
  const std::vector<NetworkItem> items(max_batch, item);
  std::vector<float> scores(max_batch * network.output_size());
  std::vector<ProfilePoint> profile;
  for (const std::size_t size : WarmSizes(max_batch)) {
    Result<Duration> elapsed =
        WarmSize(network, std::span(items).first(size), scores.data(), device.depth(), clock);
    if (!elapsed.ok()) {
      return Status(elapsed.status().code(), "model '" + model.name + "' failed to warm up at " +
                                                 std::to_string(size) + " items on " +
                                                 device.name() + ": " + elapsed.status().message());
    }
    profile.push_back({device.name(), size, *elapsed});
  }
  network.EnterService();
  return profile;
}

}  // namespace xcloud
