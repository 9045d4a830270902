#include "models/lane.h"

#include <pthread.h>

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/log.h"
#include "models/photo_request.h"

namespace xcloud {
namespace {

// Refuses the parts whose caller went away and keeps the others in their order.
void DropCancelled(std::vector<BatchPart>& parts) {
  std::erase_if(parts, [](const BatchPart& part) {
    if (!part.request->Cancelled()) return false;
    part.request->Refuse(part.first, part.items,
                         Status::Cancelled("the caller closed the connection"));
    return true;
  });
}

PhotoRequest& AsPhoto(const ScheduledRequestPtr& request) {
  return static_cast<PhotoRequest&>(*request);
}

}  // namespace

Lane::Lane(Device& device, std::size_t lane_of_device, std::size_t position, const Clock& clock)
    : device_(device),
      position_(position),
      clock_(clock),
      info_{device.name() + "/" + std::to_string(lane_of_device), device.name(), 1, {}},
      thread_([this] { Loop(); }) {}

Lane::~Lane() {
  work_.Close();
  thread_.join();
}

void Lane::Start(Batch batch, BatchDone done) {
  XC_CHECK(!batch.parts.empty());
  XC_CHECK(work_.TryPush({std::move(batch), std::move(done)}));  // else the lane was busy
}

void Lane::Loop() {
  // The kernel takes 15 bytes of a thread's name.
  pthread_setname_np(pthread_self(), ("lane " + info_.name).substr(0, 15).c_str());
  device_.PrepareLaneThread();
  while (std::optional<Work> work = work_.Pop()) {
    const BatchDone done = std::move(work->done);
    // The batch is gone before `done`: what it held of its model is released by then.
    BatchReport report = RunBatch(std::move(work->batch));
    done(std::move(report));
  }
}

void Lane::Probe(BatchDone done) {
  done({});
}

BatchReport Lane::RunBatch(Batch batch) {
  DropCancelled(batch.parts);
  if (batch.parts.empty()) return {};
  const LoadedModel& model = AsPhoto(batch.parts.front().request).model();
  XC_CHECK(position_ < model.networks.size());
  Network& network = *model.networks[position_];
  StageItems(batch, model);
  scores_.resize(items_.size() * model.output_size);

  BatchReport report;
  const TimePoint start = clock_.Now();
  TimePoint forward_start = start;
  report.status = network.Run(items_, scores_.data(), &forward_start);
  const TimePoint forward_end = clock_.Now();
  report.elapsed = forward_end - start;
  if (!report.status.ok()) {
    spdlog::error("lane {}: a batch of {} for model '{}' failed: {}", info_.name, items_.size(),
                  model.definition.name, report.status.message());
    report.outcome = BatchOutcome::kBatchFailed;
    return report;
  }
  for (std::size_t i = 0; i < batch.parts.size(); ++i) {
    const std::span<const float> scores(scores_.data() + i * model.output_size, model.output_size);
    AsPhoto(batch.parts[i].request)
        .Answer(scores, items_.size(), info_.name, batch.closed_at, forward_start, forward_end);
  }
  return report;
}

void Lane::StageItems(const Batch& batch, const LoadedModel& model) {
  XC_CHECK(batch.parts.size() <= model.definition.batching.max_batch);
  items_.clear();
  for (const BatchPart& part : batch.parts) {
    PhotoRequest& photo = AsPhoto(part.request);
    XC_CHECK(&photo.model() == &model);
    XC_CHECK(photo.pixels().size() == model.definition.preprocess.PixelBytes());
    items_.push_back(photo.pixels().data());
  }
}

}  // namespace xcloud
