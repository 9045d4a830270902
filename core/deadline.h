// Deadline: the instant after which an answer is worthless. A value, made once from the first
// byte of the request and passed down; never a duration that each layer counts again.
#pragma once

#include "core/clock.h"

namespace xcloud {

class Deadline {
 public:
  Deadline() = default;  // none: never expires
  static Deadline At(TimePoint when) {
    Deadline deadline;
    deadline.when_ = when;
    return deadline;
  }
  static Deadline After(TimePoint start, Duration budget) { return At(start + budget); }

  bool IsSet() const { return when_ != TimePoint::max(); }
  // TimePoint::max() when there is none, so deadlines compare and sort as they are.
  TimePoint when() const { return when_; }
  bool Expired(TimePoint now) const { return now >= when_; }
  Duration Remaining(TimePoint now) const { return IsSet() ? when_ - now : Duration::max(); }

 private:
  TimePoint when_ = TimePoint::max();
};

}  // namespace xcloud
