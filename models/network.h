// Network: one model made ready for one lane: weights, staging memory, warmed buckets.
//
// Threads: made on any thread; afterwards Run is called by the lane that owns it and by nobody
// else. Lanes of one device share the weights; each has its own staging memory.
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

class Network {
 public:
  virtual ~Network() = default;

  // Floats that one item gives: the number of classes.
  virtual std::size_t output_size() const = 0;

  // Runs one batch and waits for it. items[i] points at PreprocessSpec::PixelBytes() bytes (RGB,
  // interleaved, resized and cropped); normalising into the batch slot happens here. Item i's
  // raw outputs go to scores[i * output_size()]. `forward_start` is set when staging is done.
  // REQUIRES: 1 <= items.size() <= max_batch. A failure is Internal and leaves the Network usable.
  virtual Status Run(std::span<const std::uint8_t* const> items, float* scores,
                     TimePoint* forward_start) = 0;
};

// One device of the configuration, opened; makes Networks for its lanes.
//
// Threads: MakeNetworks may run while lanes of the same device serve other models.
class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& name() const = 0;  // "cpu0"
  virtual std::size_t lane_count() const = 0;
  // Called once on each lane's own thread before its first batch (thread counts, CUDA device).
  virtual void PrepareLaneThread() = 0;

  // Loads folder/VERSION/file once and makes one Network a lane. InvalidArgument when the file
  // is not a model or its output does not fit the labels; the message names the file and why.
  virtual Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) = 0;
};

// Opens what the configuration lists. Without any [[device]]: CUDA device 0 in a CUDA build on a
// machine that has one, else one CPU device with a lane a core, four at most. InvalidArgument
// names the device that cannot be had.
Result<std::vector<std::unique_ptr<Device>>> OpenDevices(const std::vector<DeviceConfig>& configs,
                                                         const Clock& clock);

// Runs every bucket (1, 2, 4, ... max_batch) twice to get past the profiling executor and other
// first-call costs, then times each and returns the slowest of a few. On the calling thread,
// which must have been prepared.
Result<std::vector<ProfilePoint>> WarmUp(Network& network, const ModelDefinition& model,
                                         const std::string& device, const Clock& clock);

}  // namespace xcloud
