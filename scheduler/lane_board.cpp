#include "scheduler/lane_board.h"

#include <algorithm>
#include <utility>

#include "core/status.h"

namespace xcloud {

LaneBoard::LaneBoard(const std::vector<BatchExecutor*>& lanes,
                     const std::vector<std::size_t>& device_of, const DeviceHealthTable& health)
    : health_(health) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const LaneInfo& info = lanes[i]->info();
    XC_CHECK(info.depth >= 1);
    Lane lane;
    lane.hang_after = info.hang_after;
    lanes_.push_back(std::move(lane));
    LaneView view;
    view.device = device_of[i];
    view.depth = info.depth;
    views_.push_back(view);
  }
}

std::uint64_t LaneBoard::Begin(std::size_t lane, BatchRun run) {
  Lane& on = lanes_[lane];
  XC_CHECK(on.runs.size() < views_[lane].depth);
  run.id = next_id_++;
  if (on.hang_after > Duration::zero()) {
    // A batch that is staged behind another is given that one's time as well.
    const TimePoint begins =
        on.runs.empty() ? run.started : std::max(run.started, on.runs.back().finish);
    run.hang_at = begins + on.hang_after;
  }
  const std::uint64_t id = run.id;
  on.runs.push_back(std::move(run));
  ++running_;
  RefreshLane(lane);
  return id;
}

BatchRun LaneBoard::End(std::size_t lane, std::uint64_t id, TimePoint now) {
  std::vector<BatchRun>& runs = lanes_[lane].runs;
  const auto at =
      std::find_if(runs.begin(), runs.end(), [id](const BatchRun& run) { return run.id == id; });
  XC_CHECK(at != runs.end());
  BatchRun run = std::move(*at);
  runs.erase(at);
  run.began = std::max(run.started, lanes_[lane].last_end);
  lanes_[lane].last_end = now;
  lanes_[lane].used = lanes_[lane].used || !run.probe;
  --running_;
  RefreshLane(lane);
  return run;
}

void LaneBoard::Refresh() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) RefreshLane(i);
}

void LaneBoard::RefreshLane(std::size_t lane) {
  LaneView& view = views_[lane];
  const std::vector<BatchRun>& runs = lanes_[lane].runs;
  view.running = runs.size();
  view.usable = health_.Usable(view.device) &&
                std::none_of(runs.begin(), runs.end(),
                             [](const BatchRun& run) { return run.lost || run.probe; });
  view.free_at = runs.empty() ? TimePoint{} : runs.back().finish;
}

TimePoint LaneBoard::NextHang() const {
  TimePoint next = TimePoint::max();
  for (const Lane& lane : lanes_) {
    for (const BatchRun& run : lane.runs) next = std::min(next, run.hang_at);
  }
  return next;
}

std::optional<LaneBoard::Hung> LaneBoard::TakeHung(TimePoint now) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    for (BatchRun& run : lanes_[i].runs) {
      if (run.hang_at > now) continue;
      run.hang_at = TimePoint::max();
      if (!run.probe && !run.claim->Take()) continue;
      run.lost = true;
      Hung hung{i, run};
      run.parts.clear();
      RefreshLane(i);
      return hung;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> LaneBoard::EmptyLane(std::size_t device) const {
  std::optional<std::size_t> empty;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (views_[i].device != device || !lanes_[i].runs.empty()) continue;
    if (lanes_[i].used) return i;
    if (!empty) empty = i;
  }
  return empty;
}

std::size_t LaneBoard::BusyLanes(std::size_t device) const {
  return static_cast<std::size_t>(std::count_if(
      views_.begin(), views_.end(),
      [device](const LaneView& view) { return view.device == device && view.running > 0; }));
}

std::size_t LaneBoard::Lanes(std::size_t device) const {
  return static_cast<std::size_t>(
      std::count_if(views_.begin(), views_.end(),
                    [device](const LaneView& view) { return view.device == device; }));
}

}  // namespace xcloud
