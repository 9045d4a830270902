// BatchExecutor: one lane, the seam between scheduler and what runs a network. Implemented by
// models (CPU threads, a CUDA stream, the null backend) and by puppets in tests.
//
// Life of a batch: the scheduler calls Start on a lane that has room; the lane runs it, takes the
// batch's claim, answers every item, and then calls `done` once. A batch that failed is not
// answered: the report says so, and the scheduler runs its items again or refuses them. When the
// claim is gone (the lane hung and the scheduler took the batch back), nothing is answered either.
// A lane holds at most LaneInfo::depth batches from Start to `done`; the next Start may come
// before a call of `done` has returned.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/scheduled_request.h"
#include "core/status.h"

namespace xcloud {

struct LaneInfo {
  std::string name;       // "cpu0/1": device and lane number
  std::string device;     // "cpu0": lanes of one device share its profile and its health
  std::size_t depth = 1;  // batches held at once: 2 = one runs while the next is being staged
  Duration hang_after{};  // a batch that runs longer hangs, its device is faulty; 0 = never
};

enum class BatchOutcome {
  kAnswered,      // every item was ended by the lane
  kBatchFailed,   // this batch failed, the device is well: some item is poison
  kDeviceFailed,  // the device cannot run a batch that is known to be good
  kTakenBack,     // the claim was gone: the scheduler has ended the items, or will
};

struct BatchReport {
  BatchOutcome outcome = BatchOutcome::kAnswered;
  Status status;       // why it failed; shown to callers
  Duration elapsed{};  // staging + forward, what the profile learns; 0 = nothing was run
  bool whole = true;   // all run_items were run: false when cancelled items had left it
};
using BatchDone = std::function<void(BatchReport)>;

class BatchExecutor {
 public:
  virtual ~BatchExecutor() = default;
  virtual const LaneInfo& info() const = 0;
  // Hands the batch over and returns without waiting for it. `done` may come from any thread, also
  // inside Start. Called from the scheduler's thread only.
  virtual void Start(Batch batch, BatchDone done) = 0;
  // Is the device well? Runs what is known to be good (a blank photo, on the model that this lane
  // ran last) and calls `done` once with kAnswered or kDeviceFailed. Otherwise as Start; only on
  // a lane that holds nothing.
  virtual void Probe(BatchDone done) = 0;
};

}  // namespace xcloud
