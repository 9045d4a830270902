// The ends of batches: what the profile learns, and what follows when one failed or hangs.

#include <algorithm>
#include <utility>

#include "scheduler/dynamic_batcher.h"
#include "scheduler/failed_batch.h"

namespace xcloud {
namespace {

std::string HangReason(Duration after) {
  return "a batch has been running for more than " +
         std::to_string(std::chrono::ceil<std::chrono::milliseconds>(after).count()) + " ms";
}

}  // namespace

BatchDone DynamicBatcher::DoneOf(std::size_t lane, std::uint64_t run) const {
  return [port = port_, lane, run](const BatchReport& report) {
    MutexLock lock(port->mutex);
    if (port->batcher != nullptr) port->batcher->Finish(lane, run, report);
  };
}

void DynamicBatcher::Finish(std::size_t lane, std::uint64_t id, const BatchReport& report) {
  BatchRun run;  // outlives the lock: the last hold on a request may go with it
  std::vector<Refused> refused;
  {
    MutexLock lock(mutex_);
    const TimePoint now = clock_.Now();
    run = board_.End(lane, id, now);
    lane_busy_seconds_[lane]->Observe(std::chrono::duration<double>(now - run.began).count());
    if (run.lost) --lost_;
    if (run.probe) {
      // One that hung has failed already.
      if (!run.lost) FinishProbe(lane, report, now);
    } else {
      FinishBatch(lane, run, report, now, refused);
    }
    NoteEnd();
  }
  Tell(std::move(refused));
}

void DynamicBatcher::NoteEnd() {
  const bool quarantine = NextProbe() != TimePoint::max();
  // Under the lock: once it is released, Stop may return and these may be gone.
  if (waiting_ > 0 || quarantine) wake_.NotifyOne();
  if (Idle()) idle_.NotifyAll();
}

void DynamicBatcher::FinishBatch(std::size_t lane, BatchRun& run, const BatchReport& report,
                                 TimePoint now, std::vector<Refused>& refused) {
  const std::size_t device = board_.views()[lane].device;
  busy_[device].Add(now - run.began, board_.Lanes(device), now);
  imbalance_.Set(ImbalancePermille(busy_, now));
  const auto found = models_.find(run.model);
  if (found != models_.end() && !run.lost) {
    Model& model = found->second;
    --model.running;
    model.last_finish = now;
    FairShare::Finish(views_[IndexOf(run.model)], run.expected, now - run.began);
    // No time: all of it was dead, and nothing was run.
    if (report.outcome == BatchOutcome::kAnswered && report.elapsed > Duration::zero()) {
      model.rate.Finish(run.items, now);
      health_.Worked(device);
      // A batch that lost some of its items says nothing about one of its size.
      if (report.whole) model.profile.Learn(device, run.run_items, report.elapsed);
    }
  }
  const bool device_failed = report.outcome == BatchOutcome::kDeviceFailed;
  if (!device_failed && report.outcome != BatchOutcome::kBatchFailed) return;
  // Its parts run elsewhere or have ended, and its device has been set aside for it already.
  if (run.lost) return;
  if (device_failed) Fault(lane, report.status.message(), now);
  XC_CHECK(run.claim->Take());
  RunAgain(run, device_failed, report.status, refused);
}

void DynamicBatcher::Fault(std::size_t lane, const std::string& reason, TimePoint now) {
  const std::size_t device = board_.views()[lane].device;
  health_.Fault(device, reason, now);
  board_.Refresh();
  device_metrics_[device].faults->Add();
  device_metrics_[device].ready->Set(0);
}

void DynamicBatcher::RunAgain(BatchRun& run, bool device_failed, const Status& why,
                              std::vector<Refused>& refused) {
  const auto found = models_.find(run.model);
  Model* const model = found == models_.end() ? nullptr : &found->second;
  const bool over = model == nullptr || stopping_;
  const bool culprit = !device_failed && run.items == 1;
  std::vector<Waiting> again;
  for (Waiting& part : run.parts) {
    if (over) {
      Refuse(nullptr, std::move(part.part), RefuseReason::kStopping,
             Status::Unavailable("the model or the server was stopped while the batch ran"),
             refused);
    } else if (culprit) {
      Refuse(model, std::move(part.part), RefuseReason::kFailed, Status::Internal(why.message()),
             refused);
    } else if (device_failed && part.device_retry) {
      Refuse(model, std::move(part.part), RefuseReason::kFailed,
             Status::Unavailable("the device failed under this request twice"), refused);
    } else {
      part.device_retry = part.device_retry || device_failed;
      again.push_back(std::move(part));
    }
  }
  run.parts.clear();
  if (again.empty()) return;
  model->metrics.Retried(device_failed);
  if (device_failed) return Requeue(*model, std::move(again));
  auto [first, second] = Halve(std::move(again));
  Requeue(*model, std::move(first));
  Requeue(*model, std::move(second));
}

void DynamicBatcher::Requeue(Model& model, std::vector<Waiting> parts) {
  for (const Waiting& part : parts) model.metrics.Queued(part.part.items);
  waiting_ += parts.size();
  const auto owner = std::find_if(views_.begin(), views_.end(), [&](const QueueView& view) {
    return view.waiting == &model.queue;
  });
  model.queue.PushBack(std::move(parts), /*grouped=*/true, owner->limits.patience);
}

void DynamicBatcher::TakeBackHung(TimePoint now, std::vector<Refused>& refused) {
  while (std::optional<LaneBoard::Hung> hung = board_.TakeHung(now)) {
    ++lost_;
    const std::string reason = HangReason(now - hung->run.started);
    if (hung->run.probe) {
      FinishProbe(hung->lane, {BatchOutcome::kDeviceFailed, Status::Unavailable(reason), {}, true},
                  now);
    } else {
      const auto found = models_.find(hung->run.model);
      if (found != models_.end()) --found->second.running;
      Fault(hung->lane, reason, now);
      RunAgain(hung->run, /*device_failed=*/true, Status::Unavailable(reason), refused);
    }
    if (Idle()) idle_.NotifyAll();
  }
}

void DynamicBatcher::FinishProbe(std::size_t lane, const BatchReport& report, TimePoint now) {
  const std::size_t device = board_.views()[lane].device;
  const bool well = report.outcome == BatchOutcome::kAnswered;
  health_.EndProbe(device, well, report.status.message(), now);
  device_metrics_[device].ready->Set(well ? 1 : 0);
  board_.Refresh();
}

// Of a device without an empty lane there is nothing to begin: the end of what it runs wakes us.
TimePoint DynamicBatcher::NextProbe() const {
  TimePoint next = TimePoint::max();
  for (std::size_t device = 0; device < health_.size(); ++device) {
    if (board_.EmptyLane(device)) next = std::min(next, health_.ProbeAt(device));
  }
  return next;
}

void DynamicBatcher::BeginProbes(TimePoint now, Work& work) {
  for (std::size_t device = 0; device < health_.size(); ++device) {
    if (health_.ProbeAt(device) > now) continue;
    const std::optional<std::size_t> lane = board_.EmptyLane(device);
    if (!lane) continue;
    health_.BeginProbe(device);
    BatchRun run;
    run.probe = true;
    run.started = now;
    run.finish = now;
    Started started;
    started.lane = *lane;
    started.run = board_.Begin(*lane, std::move(run));
    work.starts.push_back(std::move(started));
  }
}

}  // namespace xcloud
