#include "models/lane.h"

#include <pthread.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "core/log.h"
#include "models/blank_item.h"
#include "models/buckets.h"
#include "models/item_request.h"
#include "models/still_wanted.h"

namespace xcloud {
namespace {

ItemRequest& AsItems(const ScheduledRequestPtr& request) {
  return static_cast<ItemRequest&>(*request);
}

const LoadedModel& ModelOf(const Batch& batch) {
  return AsItems(batch.parts.front().request).model();
}

std::size_t ItemsOf(const std::vector<BatchPart>& parts) {
  return std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                         [](std::size_t sum, const BatchPart& part) { return sum + part.items; });
}

// A network that throws has failed: its lane and the server go on.
template <class Call>
Status Guarded(Call call) {
  try {
    return call();
  } catch (const std::exception& error) {
    spdlog::error("a network threw: {}", error.what());
  } catch (...) {
    spdlog::error("a network threw what is no exception");
  }
  return Status::Internal("the model failed on this batch");
}

}  // namespace

Lane::Lane(Device& device, std::size_t lane_of_device, std::size_t position, const Clock& clock)
    : device_(device),
      position_(position),
      clock_(clock),
      info_{device.name() + "/" + std::to_string(lane_of_device), device.name(), device.depth(),
            device.hang_after()},
      work_(kMostDepth),
      launched_(kMostDepth) {
  XC_CHECK(info_.depth >= 1 && info_.depth <= kMostDepth);
  if (info_.depth > 1) completer_ = std::thread([this] { CompleteLoop(); });
  stager_ = std::thread([this] { StageLoop(); });
}

Lane::~Lane() {
  work_.Close();
  stager_.join();
  launched_.Close();
  if (completer_.joinable()) completer_.join();
}

void Lane::Start(Batch batch, BatchDone done) {
  XC_CHECK(!batch.parts.empty() && batch.claim != nullptr);
  XC_CHECK(batch.run_items >= batch.items && batch.items == ItemsOf(batch.parts));
  Flight flight;
  flight.batch = std::move(batch);
  flight.done = std::move(done);
  Take(std::move(flight));
}

void Lane::Probe(BatchDone done) {
  XC_CHECK(held_.load() == 0);
  Flight flight;
  flight.done = std::move(done);
  Take(std::move(flight));
}

void Lane::Take(Flight flight) {
  XC_CHECK(flight.done != nullptr);
  XC_CHECK(held_.fetch_add(1) < info_.depth);  // else the lane had no room
  XC_CHECK(work_.TryPush(std::move(flight)));
}

void Lane::PrepareThread(const char* role) {
  // The kernel takes 15 bytes of a thread's name.
  pthread_setname_np(pthread_self(), (role + info_.name).substr(0, 15).c_str());
  device_.PrepareLaneThread();
}

void Lane::StageLoop() {
  PrepareThread("lane ");
  while (std::optional<Flight> flight = work_.Pop()) {
    // Free again: a lane holds no more batches than slots, and they end in their order.
    flight->slot = next_slot_;
    next_slot_ = (next_slot_ + 1) % info_.depth;
    if (!flight->batch.parts.empty()) Begin(*flight);
    if (info_.depth == 1) {
      Finish(std::move(*flight));
    } else {
      XC_CHECK(launched_.TryPush(std::move(*flight)));
    }
  }
}

void Lane::CompleteLoop() {
  PrepareThread("end ");
  while (std::optional<Flight> flight = launched_.Pop()) Finish(std::move(*flight));
}

// Sorts the dead out and gets the others running.
void Lane::Begin(Flight& flight) {
  const Batch& batch = flight.batch;
  const LoadedModel& model = ModelOf(batch);
  const std::size_t max_batch = std::max<std::size_t>(model.definition.batching.max_batch, 1);
  XC_CHECK(batch.run_items <= max_batch);
  flight.stage_start = clock_.Now();
  flight.dead.reserve(batch.parts.size());
  for (const BatchPart& part : batch.parts) {
    flight.dead.push_back(StillWanted(*part.request, flight.stage_start, "run"));
    if (!flight.dead.back().ok()) continue;
    flight.live += part.items;
    AsItems(part.request).Started();
  }
  if (flight.live == 0) return;
  // Fewer items may fit a smaller size that was warmed as well.
  flight.run_items = flight.live == batch.items
                         ? batch.run_items
                         : std::min(batch.run_items, WarmSizeFor(flight.live, max_batch));
  flight.status = StageAndLaunch(flight, model);
}

Status Lane::StageAndLaunch(Flight& flight, const LoadedModel& model) {
  items_.clear();
  for (std::size_t i = 0; i < flight.dead.size(); ++i) {
    if (!flight.dead[i].ok()) continue;
    const BatchPart& part = flight.batch.parts[i];
    const ItemRequest& request = AsItems(part.request);
    XC_CHECK(&request.model() == &model);
    for (std::size_t k = 0; k < part.items; ++k) {
      items_.push_back(request.item(part.first + k));
    }
  }
  Network& network = NetworkOf(model);
  MutexLock lock(staging_mutex_);
  Status status = Guarded([&] { return network.Stage(flight.slot, items_, flight.run_items); });
  flight.staged = clock_.Now();
  return status.ok() ? Guarded([&] { return network.Launch(flight.slot); }) : status;
}

void Lane::Finish(Flight flight) {
  const BatchDone done = std::move(flight.done);
  BatchReport report = flight.batch.parts.empty() ? RunProbe(flight) : Complete(flight);
  // The batch is gone before `done`: what it held of its model is released by then.
  flight = {};
  // Before the report: the next Start may come while `done` still runs.
  held_.fetch_sub(1);
  done(std::move(report));
}

BatchReport Lane::Complete(const Flight& flight) {
  if (flight.live == 0) return EndDead(flight);
  const ItemRequest& first = AsItems(flight.batch.parts.front().request);
  const LoadedModel& model = first.model();
  last_model_ = first.shared_model();
  const TimePoint forward_start = std::max(flight.staged, last_end_);
  Status status = flight.status;
  if (status.ok()) {
    scores_.resize(flight.live * model.output_size);
    status = Guarded([&] { return NetworkOf(model).Collect(flight.slot, scores_.data()); });
  }
  last_end_ = clock_.Now();
  if (!status.ok()) return Failed(flight, model, status);
  return AnswerAll(flight, forward_start, last_end_);
}

BatchReport Lane::EndDead(const Flight& flight) {
  BatchReport report;
  report.whole = false;
  if (!flight.batch.claim->Take()) {
    report.outcome = BatchOutcome::kTakenBack;
    return report;
  }
  for (std::size_t i = 0; i < flight.dead.size(); ++i) {
    if (flight.dead[i].ok()) continue;
    const BatchPart& part = flight.batch.parts[i];
    part.request->Refuse(part.first, part.items, flight.dead[i]);
  }
  return report;
}

BatchReport Lane::AnswerAll(const Flight& flight, TimePoint forward_start, TimePoint forward_end) {
  const LoadedModel& model = ModelOf(flight.batch);
  const std::size_t outputs = model.output_size;
  BatchReport report = EndDead(flight);
  if (report.outcome == BatchOutcome::kTakenBack) return report;
  if (model.statistics != nullptr) {
    model.statistics->BatchRan(flight.live, flight.staged - flight.stage_start,
                               forward_end - forward_start);
  }
  const PartRun run{flight.live, info_.name, flight.batch.closed_at, forward_start, forward_end};
  const float* row = scores_.data();
  for (std::size_t i = 0; i < flight.dead.size(); ++i) {
    if (!flight.dead[i].ok()) continue;
    const BatchPart& part = flight.batch.parts[i];
    const std::span<const float> scores(row, part.items * outputs);
    row += scores.size();
    AsItems(part.request).Answer(part.first, part.items, scores, run);
  }
  if (model.statistics != nullptr) {
    model.statistics->BatchAnswered(flight.live, clock_.Now() - forward_end);
  }
  report.elapsed = (flight.staged - flight.stage_start) + (forward_end - forward_start);
  report.whole = flight.run_items == flight.batch.run_items;
  return report;
}

// Nobody is ended and no claim taken: the scheduler decides what becomes of the items.
BatchReport Lane::Failed(const Flight& flight, const LoadedModel& model, const Status& why) {
  const Status test = SelfTest(model, flight.slot);
  last_end_ = clock_.Now();
  spdlog::error("lane {}: a batch of {} for model '{}' failed: {}; self test: {}", info_.name,
                flight.live, model.definition.name, why.message(),
                test.ok() ? "passed" : test.message());
  BatchReport report;
  report.outcome = test.ok() ? BatchOutcome::kBatchFailed : BatchOutcome::kDeviceFailed;
  report.status = why;
  report.whole = false;
  return report;
}

BatchReport Lane::RunProbe(const Flight& flight) {
  BatchReport report;
  report.whole = false;
  const std::shared_ptr<const LoadedModel> model = last_model_.lock();
  if (model == nullptr) return report;  // nothing that could be tried: well until shown otherwise
  report.status = SelfTest(*model, flight.slot);
  if (!report.status.ok()) report.outcome = BatchOutcome::kDeviceFailed;
  last_end_ = clock_.Now();
  return report;
}

Status Lane::SelfTest(const LoadedModel& model, std::size_t slot) {
  const BlankItem blank(model.definition);  // what warm-up ran, so known to be good
  const NetworkItem item = blank.item();
  std::vector<float> scores(model.output_size);
  Network& network = NetworkOf(model);
  {
    MutexLock lock(staging_mutex_);
    Status status = Guarded([&] { return network.Stage(slot, {&item, 1}, 1); });
    if (status.ok()) status = Guarded([&] { return network.Launch(slot); });
    if (!status.ok()) return status;
  }
  return Guarded([&] { return network.Collect(slot, scores.data()); });
}

Network& Lane::NetworkOf(const LoadedModel& model) const {
  XC_CHECK(position_ < model.networks.size());
  return *model.networks[position_];
}

}  // namespace xcloud
