#include "models/batching_control.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/log.h"
#include "core/priority_name.h"

namespace xcloud {
namespace {

// The bounds of model.toml's keys; models/README.md lists them.
constexpr std::size_t kMostWaiting = 1'000'000;
constexpr double kMostDelayMs = 10'000;
constexpr double kMostGoalMs = 3'600'000;
constexpr double kLeastPatienceMs = 1;
constexpr double kMostPatienceMs = 600'000;

bool NamesAKnob(const BatchingPatch& patch) {
  return patch.max_batch || patch.queue_capacity || patch.max_queue_delay_ms ||
         patch.latency_goal_ms || patch.defer || patch.priority || patch.patience_ms;
}

// Applies knobs one by one and collects what is wrong with each.
class Change {
 public:
  explicit Change(const BatchLimits& limits) : limits_(limits) {}

  void Count(std::string_view key, const std::optional<std::size_t>& wanted, std::size_t most,
             std::size_t& value) {
    if (!wanted) return;
    if (*wanted < 1 || *wanted > most) {
      Fail(fmt::format("{} must be 1 to {}, is {}", key, most, *wanted));
    } else {
      value = *wanted;
    }
  }
  void Time(std::string_view key, const std::optional<double>& wanted, double least, double most,
            Duration& value) {
    if (!wanted) return;
    if (!(*wanted >= least && *wanted <= most)) {  // also when it is not a number
      Fail(fmt::format("{} must be {:.0f} to {:.0f}, is {}", key, least, most, *wanted));
    } else {
      value = FromMilliseconds(*wanted);
    }
  }
  void Fail(const std::string& why) { wrong_ += (wrong_.empty() ? "" : "; ") + why; }

  BatchLimits& limits() { return limits_; }
  const std::string& wrong() const { return wrong_; }

 private:
  BatchLimits limits_;
  std::string wrong_;
};

std::string TimeText(Duration time) {
  return time == Duration::zero() ? "none" : fmt::format("{:g} ms", ToMilliseconds(time));
}

}  // namespace

BatchingControl::BatchingControl(const BatchLimits& declared, WallTime now)
    : first_{1, now, declared}, history_{first_} {}

BatchingView BatchingControl::View() const {
  BatchingView view;
  view.current = history_.front();
  view.history.assign(history_.begin(), history_.end());
  if (view.history.back().version != first_.version) view.history.push_back(first_);
  view.max_batch_limit = first_.limits.max_batch;
  return view;
}

Status BatchingControl::Apply(const BatchingPatch& patch, WallTime now) {
  if (!patch.revert_to && !NamesAKnob(patch)) {
    return Status::InvalidArgument("the change names no knob");
  }
  if (patch.revert_to && NamesAKnob(patch)) {
    return Status::InvalidArgument("revert_to takes all values of a version: name no other knob");
  }
  const BatchingVersion& current = history_.front();
  if (patch.expected_version && *patch.expected_version != current.version) {
    return Status::AlreadyExists("version " + std::to_string(current.version) +
                                 " is current, not " + std::to_string(*patch.expected_version) +
                                 ": somebody else has changed it; read it again");
  }
  const Result<BatchLimits> limits = patch.revert_to ? Reverted(patch) : Changed(patch);
  if (!limits.ok()) return limits.status();
  if (*limits == current.limits) return Status::Ok();
  history_.push_front({current.version + 1, now, *limits});
  if (history_.size() > kBatchingHistory) history_.pop_back();
  return Status::Ok();
}

Result<BatchLimits> BatchingControl::Changed(const BatchingPatch& patch) const {
  Change change(limits());
  BatchLimits& limits = change.limits();
  change.Count("max_batch", patch.max_batch, declared().max_batch, limits.max_batch);
  change.Count("queue_capacity", patch.queue_capacity, kMostWaiting, limits.queue_capacity);
  change.Time("max_queue_delay_ms", patch.max_queue_delay_ms, 0, kMostDelayMs,
              limits.max_queue_delay);
  change.Time("latency_goal_ms", patch.latency_goal_ms, 0, kMostGoalMs, limits.latency_goal);
  change.Time("patience_ms", patch.patience_ms, kLeastPatienceMs, kMostPatienceMs, limits.patience);
  if (limits.queue_capacity < limits.max_batch) {
    change.Fail(fmt::format("a queue_capacity of {} cannot hold a max_batch of {}",
                            limits.queue_capacity, limits.max_batch));
  }
  limits.defer = patch.defer.value_or(limits.defer);
  limits.priority = patch.priority.value_or(limits.priority);
  if (!change.wrong().empty()) return Status::InvalidArgument(change.wrong());
  return limits;
}

Result<BatchLimits> BatchingControl::Reverted(const BatchingPatch& patch) const {
  if (*patch.revert_to == first_.version) return first_.limits;
  const auto found = std::find_if(history_.begin(), history_.end(), [&](const auto& version) {
    return version.version == *patch.revert_to;
  });
  if (found != history_.end()) return found->limits;
  return Status::NotFound("version " + std::to_string(*patch.revert_to) +
                          " is not kept; the latest " + std::to_string(kBatchingHistory) +
                          " and version 1 are");
}

std::string DescribeChange(const BatchLimits& from, const BatchLimits& to) {
  std::string text;
  const auto add = [&text](std::string_view key, const auto& before, const auto& after) {
    if (before == after) return;
    text += fmt::format("{}{} {} -> {}", text.empty() ? "" : ", ", key, before, after);
  };
  add("max_batch", from.max_batch, to.max_batch);
  add("queue_capacity", from.queue_capacity, to.queue_capacity);
  add("max_queue_delay", TimeText(from.max_queue_delay), TimeText(to.max_queue_delay));
  add("latency_goal", TimeText(from.latency_goal), TimeText(to.latency_goal));
  add("defer", from.defer, to.defer);
  add("priority", PriorityName(from.priority), PriorityName(to.priority));
  add("patience", TimeText(from.patience), TimeText(to.patience));
  return text.empty() ? "nothing" : text;
}

}  // namespace xcloud
