// BatchExecutor: one lane, the seam between scheduler and what runs a network. Implemented by
// models (CPU threads, a CUDA stream, the null backend) and by puppets in tests.
//
// Life of a batch: the scheduler calls Start on a free lane; the lane answers every request in
// the batch, with a result or an error of its own, and then calls `done` once. A lane is busy
// from Start until it calls `done`; Start is never called on a busy lane, but the next Start may
// come before that call of `done` has returned.
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
  std::string name;    // "cpu0/1": device and lane number
  std::string device;  // "cpu0": lanes of one device share its profile
};

struct BatchReport {
  Status status;       // not OK = the batch failed as a whole (each request was told)
  Duration elapsed{};  // staging + forward, what the profile learns
};
using BatchDone = std::function<void(BatchReport)>;

class BatchExecutor {
 public:
  virtual ~BatchExecutor() = default;
  virtual const LaneInfo& info() const = 0;
  // Hands the batch over and returns without waiting for it. `done` may come from any thread, also
  // inside Start. Called from the scheduler's thread only.
  virtual void Start(Batch batch, BatchDone done) = 0;
};

}  // namespace xcloud
