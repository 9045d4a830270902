// Forming one batch: step 6 of scheduler/policy.h. Pure; used by policy.cpp alone.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "scheduler/policy.h"

namespace xcloud {

// Why a waiting part is over, or nothing. `own` = the fastest device's time for it alone.
std::optional<RefuseReason> WhyOver(const WaitingKey& key, const Waiting& waiting, Duration own,
                                    TimePoint now);

struct BatchPlace {
  std::size_t lane = 0;
  TimePoint begins;  // now, or when what the lane runs is done
};

class BatchFormer {
 public:
  // `refusals` holds those of this decision and is added to. `first_class` is walked first.
  // `others_start_by` is the latest start of the tightest request of the other queues.
  BatchFormer(const PolicyInput& input, std::size_t queue, std::size_t first_class,
              TimePoint others_start_by, std::vector<PolicyRefusal>& refusals);

  // Nothing when no part can be finished in time there. May shed.
  std::optional<PolicyStart> Form(const BatchPlace& place, CloseReason reason);

 private:
  enum class Step { kTaken, kSkipped, kFull, kDeadline, kOthers };
  void Walk(const BatchPlace& place);
  void WalkGroup(const BatchPlace& place, std::uint32_t group);
  Step Consider(const BatchPlace& place, const WaitingKey& key, const Waiting& waiting);
  bool MakesOthersLate(const BatchPlace& place, std::size_t wanted) const;
  bool Shed(const BatchPlace& place);
  Duration OthersTime() const;
  bool Over(const WaitingKey& key, const Waiting& waiting);
  bool Refused(const WaitingKey& key) const;
  TimePoint Finish(const BatchPlace& place, std::size_t items) const;

  const PolicyInput& input_;
  const QueueView& queue_;
  const std::size_t index_;
  const std::size_t first_class_;
  const TimePoint others_start_by_;
  std::vector<PolicyRefusal>& refusals_;
  const std::size_t refusals_of_others_;  // the first ones are not of this queue

  // Of the walk. The first three spare most of the profile's arithmetic for each part.
  Duration fastest_one_{};
  TimePoint finish_one_;
  TimePoint finish_full_;
  std::vector<PolicyTake> takes_;
  std::size_t items_ = 0;
  TimePoint tightest_;
  WaitingKey tightest_key_;
  Step stopped_ = Step::kTaken;
  TimePoint stopped_due_;  // of the one that a deadline kept out
};

}  // namespace xcloud
