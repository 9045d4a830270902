// Network: one model made ready for one lane: weights, staging memory, warmed sizes. Device: what
// networks run on.
//
// A batch goes through three steps, so that a device that can may carry batch k + 1 over while
// batch k runs: Stage copies the items into a slot's memory, Launch starts the network on that
// slot, Collect waits and gives the scores. Slots are numbered from 0 to Device::depth() - 1.
//
// Threads: made and warmed on any one thread; afterwards used by the lane that owns it and by
// nobody else. Stage and Launch are never called at once with each other, but Collect of one slot
// may run while the other slot is staged and launched. Each Stage is followed by the Launch and
// the Collect of its slot before the slot is staged again, unless a step failed: then the slot
// starts anew with Stage. Lanes of one device share the weights; staging memory is a lane's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/batch_executor.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "models/model_definition.h"

namespace xcloud {

struct ResizableImage;  // models/resize_plan.h

// One item, as a network takes it, in one of three forms; those of a batch may differ.
// - pixels: PreprocessSpec::PixelBytes() bytes, RGB, interleaved, resized and cropped;
// - image: the decoded photo, on devices that resize;
// - tensor: the network's own input, ModelDefinition::item_values() floats, of a picture normalised
//   by the caller and in the network's layout and colour order. Bytes of a request's body: aligned
//   for nothing.
// The echo backend looks at none of them.
struct NetworkItem {
  const std::uint8_t* pixels = nullptr;
  const ResizableImage* image = nullptr;
  const char* tensor = nullptr;
};

class Network {
 public:
  virtual ~Network() = default;

  // Floats that one item gives: ModelDefinition::score_count().
  virtual std::size_t output_size() const = 0;

  // Copies the items into the slot, normalised by now or on the way. The batch runs as if it had
  // run_items items; those behind the real ones are padding, zero, and never seen in any score.
  // The items' memory is not needed afterwards. REQUIRES: 1 <= items.size() <= run_items <=
  // max_batch. A failure of this or of the other steps is Internal and leaves the Network usable.
  virtual Status Stage(std::size_t slot, std::span<const NetworkItem> items,
                       std::size_t run_items) = 0;
  // Starts the network where the device runs by itself; does nothing where Collect does the work.
  virtual Status Launch(std::size_t /*slot*/) { return Status::Ok(); }
  // Waits for the slot's batch; item i's raw outputs go to scores[i * output_size()].
  virtual Status Collect(std::size_t slot, float* scores) = 0;

  // Called while warming up, after a few runs of that size: may record what then runs faster.
  virtual Status Record(std::size_t /*run_items*/) { return Status::Ok(); }
  // Warm-up is over: the next Stage comes from the lane.
  virtual void EnterService() {}

  // All three steps through one slot.
  Status Run(std::size_t slot, std::span<const NetworkItem> items, std::size_t run_items,
             float* scores) {
    if (Status status = Stage(slot, items, run_items); !status.ok()) return status;
    if (Status status = Launch(slot); !status.ok()) return status;
    return Collect(slot, scores);
  }
};

// One device of the configuration, opened; makes Networks for its lanes.
//
// Threads: MakeNetworks may run while lanes of the same device serve other models.
class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& name() const = 0;  // "cpu0"
  virtual std::size_t lane_count() const = 0;
  // Batches that one lane holds at once, and slots of each of its networks: 1 or 2.
  virtual std::size_t depth() const { return 1; }
  // A batch that runs longer hangs; 0 = never.
  virtual Duration hang_after() const { return {}; }
  // The device resizes: lanes want decoded images (NetworkItem::image) where these fit.
  virtual bool wants_decoded_images() const { return false; }
  // It runs on the host's own cores: several models may be loaded at once, and what one lane has
  // warmed (weights, kernels of a size) is warm for the others, but for their own memory.
  virtual bool runs_on_host() const { return false; }
  // Whose optimised variants it can run (models/optimize/host_key.h); empty = nobody's.
  virtual std::string host_key() const { return {}; }
  // Gives memory that nothing uses any more back to the system, after a model was let go. Any
  // thread.
  virtual void ReleaseMemory() {}
  // Called once on each lane's own threads before its first batch (thread counts, CUDA device).
  virtual void PrepareLaneThread() = 0;

  // Loads folder/VERSION/file once and makes one Network a lane. InvalidArgument when the file
  // is not a model or its output does not fit the labels; the message names the file and why.
  virtual Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) = 0;
};

// Opens what the configuration lists. Without any [[device]]: CUDA device 0 in a CUDA build on a
// machine that has one, else one CPU device with a lane a core, four at most. InvalidArgument
// names the device that cannot be had, or tells that some devices resize and others do not.
Result<std::vector<std::unique_ptr<Device>>> OpenDevices(const std::vector<DeviceConfig>& configs);

// Runs every size of WarmSizes (models/buckets.h) in every slot to get past first-call costs, lets
// the network record it, then times it and gives the slowest of a few; of sizes that take long,
// fewer runs say as much. Items are as lanes of the device get them. On the calling thread, which
// must have been prepared.
Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const Device& device, const Clock& clock);

// For the further lanes of a device that runs_on_host(), once WarmUp has run on one of them: the
// largest size once in every slot, for the lane's own memory.
Status WarmLane(Network& network, const ModelDefinition& model, const Device& device);

}  // namespace xcloud
