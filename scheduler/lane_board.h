// LaneBoard: what each lane holds now: batches and probes, when they should be done, and when a
// lane must be taken to hang. Keeps the LaneViews that the policy reads.
//
// Not thread-safe: guarded by its owner (DynamicBatcher's lock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/batch_executor.h"
#include "core/clock.h"
#include "scheduler/device_health.h"
#include "scheduler/policy.h"

namespace xcloud {

// One batch on a lane, from Start to `done`.
struct BatchRun {
  std::uint64_t id = 0;  // handed out by Begin
  ModelId model = 0;
  std::vector<Waiting> parts;  // kept, in case they have to run again; empty for a probe
  std::size_t items = 0;
  std::size_t run_items = 0;
  TimePoint started;    // handed to the lane
  TimePoint began;      // set by End: when the lane came to it, behind what it held before
  Duration expected{};  // of lane time
  TimePoint finish;     // as the profile saw it
  TimePoint hang_at = TimePoint::max();
  std::shared_ptr<BatchClaim> claim;
  bool probe = false;
  bool lost = false;  // it hung: its parts have been taken back
};

class LaneBoard {
 public:
  // device_of[i] is lane i's device; `health` must outlive the board.
  LaneBoard(const std::vector<BatchExecutor*>& lanes, const std::vector<std::size_t>& device_of,
            const DeviceHealthTable& health);

  std::span<const LaneView> views() const { return views_; }
  std::size_t running() const { return running_; }  // batches and probes, lost ones too

  // Fills in id and hang_at. REQUIRES: the lane has room.
  std::uint64_t Begin(std::size_t lane, BatchRun run);
  // REQUIRES: it runs.
  BatchRun End(std::size_t lane, std::uint64_t id, TimePoint now);

  // A device's health changed.
  void Refresh();

  // The earliest instant at which something that runs is taken to hang.
  TimePoint NextHang() const;
  // One that hangs now; it stays on the board as lost (a probe too) until its lane calls back.
  // The parts are the caller's if the claim could be taken; else it is not reported, since its
  // lane is about to answer.
  struct Hung {
    std::size_t lane = 0;
    BatchRun run;
  };
  std::optional<Hung> TakeHung(TimePoint now);

  // A lane of the device that holds nothing; one that has run batches before, if there is any.
  std::optional<std::size_t> EmptyLane(std::size_t device) const;
  std::size_t BusyLanes(std::size_t device) const;
  std::size_t Lanes(std::size_t device) const;

 private:
  struct Lane {
    Duration hang_after{};
    std::vector<BatchRun> runs;
    TimePoint last_end;
    bool used = false;  // has run a batch: a probe there tries something
  };
  void RefreshLane(std::size_t lane);

  const DeviceHealthTable& health_;
  std::vector<Lane> lanes_;
  std::vector<LaneView> views_;
  std::uint64_t next_id_ = 1;
  std::size_t running_ = 0;
};

}  // namespace xcloud
