// Lane: one executor slot of a device, with a thread of its own. Runs any loaded model's batch:
// stages, forwards, answers each photo, then reports to the scheduler.
//
// A batch whose forward fails answers each of its requests with the error (Internal). The lane's
// requests are always PhotoRequests: models made them, the scheduler only passed them through.
#pragma once

#include <cstddef>
#include <thread>

#include "core/batch_executor.h"
#include "core/bounded_queue.h"
#include "core/clock.h"
#include "models/network.h"

namespace xcloud {

class Lane final : public BatchExecutor {
 public:
  // `position` indexes LoadedModel::networks. The device must outlive the lane.
  Lane(Device& device, std::size_t lane_of_device, std::size_t position, const Clock& clock);
  // Finishes the batch in flight, then joins the thread.
  ~Lane() override;

  const LaneInfo& info() const override { return info_; }
  void Start(Batch batch, BatchDone done) override;

 private:
  struct Work {
    Batch batch;
    BatchDone done;
  };
  void Loop();
  BatchReport RunBatch(Batch batch);

  Device& device_;
  const std::size_t position_;
  const Clock& clock_;
  LaneInfo info_;
  BoundedQueue<Work> work_{1};
  std::thread thread_;
};

}  // namespace xcloud
