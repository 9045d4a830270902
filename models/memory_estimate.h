// MemoryEstimate: would loading a version take more memory than there is? Asked before each load,
// so that the answer is a refusal with figures and not the kernel's out-of-memory killer.
//
// The estimate is rough, and meant to be too high rather than too low. Of files of F bytes, an
// item of I bytes of fp32, batches of B, and L lanes that may hold a batch in S slots each:
//   weights      3 F          the file as read, the frozen network, its rearranged convolutions;
//                             lanes share them, but those of OpenVINO,
//                             which compile a network each: then 3 L F
//   staging      L S B I
//   activations  16 L B I     of convolutional networks at 224 x 224; they hold several layers'
//                             outputs at a time
// Measured on EfficientNet-Lite0 (F = 19 MB, I = 602 KB, B = 4, 2 lanes): estimated 146 MB, the
// process grew by about 90 MB a model. A network whose file is packed (int8), or whose layers are
// much wider than its input, can be off by several times: [repository] memory_limit_mb bounds the
// process itself. Only main memory is estimated, not a GPU's.
//
// What there is: the least of the machine's MemAvailable, of what the cgroup and its parents leave
// (memory.max - memory.current + inactive_file, which the kernel gives back), and of
// memory_limit_mb - what the process holds already.
//
// Any thread; reads some small files below /proc and /sys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/mutex.h"
#include "core/result.h"
#include "core/status.h"

namespace xcloud {

// What a load would take. Bytes.
struct MemoryNeed {
  std::uint64_t weights = 0;
  std::uint64_t staging = 0;
  std::uint64_t activations = 0;
  std::uint64_t total() const { return weights + staging + activations; }
};
struct MemoryLanes {
  std::size_t lanes = 0;  // of all devices
  std::size_t slots = 0;  // of all lanes together
  std::size_t weight_copies = 1;
};
MemoryNeed EstimateMemory(std::uint64_t file_bytes, std::uint64_t item_bytes, std::size_t max_batch,
                          const MemoryLanes& lanes);

// What there is. Bytes; the largest number where nothing bounds it.
struct MemoryRoom {
  std::uint64_t machine = UINT64_MAX;
  std::uint64_t cgroup = UINT64_MAX;
  std::uint64_t process = 0;  // resident now
};
// `root`: "/", or what stands for it in a test: proc/ and sys/fs/cgroup/ below it.
MemoryRoom ReadMemoryRoom(const std::filesystem::path& root = "/");

// OK, or Unavailable with the figures. `limit_mb`: [repository] memory_limit_mb; 0 = none. `what`:
// "imagenet/2".
Status CheckMemory(const std::string& what, const MemoryNeed& need, const MemoryRoom& room,
                   std::int64_t limit_mb);

// What loads that run hold, so that no two of them count on the same free memory. It is given back
// when a load has ended: then what it took shows in what there is. Any thread.
class MemoryReservations {
 public:
  using Held = std::shared_ptr<void>;  // gives back when it goes; `this` must live until then
  explicit MemoryReservations(std::function<MemoryRoom()> room) : room_(std::move(room)) {}

  // As CheckMemory, less what others hold.
  Result<Held> TryReserve(const std::string& what, const MemoryNeed& need, std::int64_t limit_mb)
      XC_EXCLUDES(mutex_);
  // The same, but while others hold something it waits for them instead of refusing.
  Result<Held> Reserve(const std::string& what, const MemoryNeed& need, std::int64_t limit_mb)
      XC_EXCLUDES(mutex_);

 private:
  Result<Held> Try(const std::string& what, const MemoryNeed& need, std::int64_t limit_mb)
      XC_REQUIRES(mutex_);
  void GiveBack(std::uint64_t bytes) XC_EXCLUDES(mutex_);

  const std::function<MemoryRoom()> room_;
  Mutex mutex_;
  CondVar changed_;
  std::uint64_t held_ XC_GUARDED_BY(mutex_) = 0;
};

}  // namespace xcloud
