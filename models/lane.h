// Lane: one executor slot of a device, with threads of its own. Runs any loaded model's batch:
// stages, forwards, takes the claim, answers each part, then reports to the scheduler.
//
// A lane of depth 1 has one thread. A lane of depth 2 has two: one stages and launches batch
// k + 1 while the other waits for batch k and answers it; batches are answered in their order.
//
// Invariants
// 1. No item is ended before the batch's claim was taken; without the claim none is ended at all.
// 2. Nothing dead is run: a part (some items of one request) whose caller went away or whose
//    deadline has passed when it would be staged is left out, and ended (Cancelled,
//    DeadlineExceeded) when the claim was taken.
// 3. A batch that fails ends nobody. The lane then runs its self test, one grey photo through the
//    same network: it passes = kBatchFailed, it fails as well = kDeviceFailed.
// 4. Of a batch only the claim and the report are the scheduler's affair; the lane's requests are
//    always ItemRequests of one loaded model: models made them, the scheduler passed them through.
//
// `elapsed` is the time of staging plus the time from then, or from the end of the batch before,
// whichever is later, to the scores: what the batch costs when the lane does nothing else.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/batch_executor.h"
#include "core/bounded_queue.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "models/network.h"

namespace xcloud {

struct LoadedModel;

class Lane final : public BatchExecutor {
 public:
  // `position` indexes LoadedModel::networks. The device must outlive the lane.
  Lane(Device& device, std::size_t lane_of_device, std::size_t position, const Clock& clock);
  // Finishes the batches in flight, then joins the threads.
  ~Lane() override;

  const LaneInfo& info() const override { return info_; }
  void Start(Batch batch, BatchDone done) override;
  void Probe(BatchDone done) override;

 private:
  static constexpr std::size_t kMostDepth = 2;

  // One batch, or one probe (no parts), from Start to `done`.
  struct Flight {
    Batch batch;
    BatchDone done;
    std::vector<Status> dead;  // by part; OK = it runs
    std::size_t live = 0;      // items that run
    std::size_t run_items = 0;
    std::size_t slot = 0;
    Status status;  // of staging and launching
    TimePoint stage_start;
    TimePoint staged;
  };

  void Take(Flight flight);
  void StageLoop();
  void CompleteLoop();
  void PrepareThread(const char* role);
  void Begin(Flight& flight);
  void Finish(Flight flight);
  BatchReport Complete(const Flight& flight);
  BatchReport EndDead(const Flight& flight);
  BatchReport AnswerAll(const Flight& flight, TimePoint forward_start, TimePoint forward_end);
  BatchReport Failed(const Flight& flight, const LoadedModel& model, const Status& why);
  BatchReport RunProbe(const Flight& flight);
  Status StageAndLaunch(Flight& flight, const LoadedModel& model);
  Status SelfTest(const LoadedModel& model, std::size_t slot);
  Network& NetworkOf(const LoadedModel& model) const;

  Device& device_;
  const std::size_t position_;
  const Clock& clock_;
  LaneInfo info_;
  std::atomic<std::size_t> held_{0};  // from Start to `done`
  BoundedQueue<Flight> work_;
  BoundedQueue<Flight> launched_;  // depth 2 only

  // Networks want Stage and Launch one after the other; a self test stages as well.
  Mutex staging_mutex_;

  // Of the staging thread; kept between batches so that a batch allocates little.
  std::size_t next_slot_ = 0;
  std::vector<NetworkItem> items_;
  // Of the completing thread.
  std::vector<float> scores_;
  TimePoint last_end_{};  // of the batch before
  std::weak_ptr<const LoadedModel> last_model_;

  std::thread stager_;
  std::thread completer_;  // depth 2 only
};

}  // namespace xcloud
