// Lane: one executor slot of a device, with a thread of its own. Runs any loaded model's batch:
// stages, forwards, answers each photo, then reports to the scheduler.
//
// A batch whose forward fails answers each of its requests with the error (Internal). The lane's
// requests are always PhotoRequests of one loaded model: models made them, the scheduler only
// passed them through. Requests whose caller went away are refused (Cancelled) before staging and
// do not count as items of the batch; a batch that lost all of them reports Cancelled, elapsed 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/batch_executor.h"
#include "core/bounded_queue.h"
#include "core/clock.h"
#include "models/network.h"

namespace xcloud {

struct LoadedModel;

class Lane final : public BatchExecutor {
 public:
  // `position` indexes LoadedModel::networks. The device must outlive the lane.
  Lane(Device& device, std::size_t lane_of_device, std::size_t position, const Clock& clock);
  // Finishes the batch in flight, then joins the thread.
  ~Lane() override;

  const LaneInfo& info() const override { return info_; }
  void Start(Batch batch, BatchDone done) override;
  void Probe(BatchDone done) override;

 private:
  struct Work {
    Batch batch;
    BatchDone done;
  };
  void Loop();
  BatchReport RunBatch(Batch batch);
  void StageItems(const Batch& batch, const LoadedModel& model);

  Device& device_;
  const std::size_t position_;
  const Clock& clock_;
  LaneInfo info_;
  BoundedQueue<Work> work_{1};
  // Of the lane's thread; kept between batches so that a batch allocates nothing here.
  std::vector<const std::uint8_t*> items_;
  std::vector<float> scores_;
  std::thread thread_;
};

}  // namespace xcloud
