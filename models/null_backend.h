// The null backend: a network that looks at nothing. A batch run as n items takes base_ms +
// item_ms*n and every item gets the same scores, the first label's the highest. For benchmarks and
// for the scheduler's tests: needs no weights and runs on any device. Its answers say nothing about
// the photo; the service marks them as synthetic.
//
// The time is spent asleep, so a null lane costs no CPU; it ends within a few microseconds of the
// declared time where UsePreciseTimers was called. With 0 and 0 nothing sleeps. Threads: as
// Network.
//
// The echo backend is the same network with no scores: its requests take the queue, the batch and
// the lane of any other's, the declared time passes, and then ItemRequest hands the caller's own
// tensors on as outputs, uncopied. For trying clients and for measuring the protocol.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// Blocks the calling thread for the given time.
using SleepFor = std::function<void(Duration)>;

// The real one: until an absolute instant of CLOCK_MONOTONIC, so signals do not lengthen it.
void SleepPrecisely(Duration time);

// One Network for each of `lanes`. InvalidArgument when a null model has no labels, or the time is
// negative.
Result<std::vector<std::unique_ptr<Network>>> MakeNullNetworks(const ModelDefinition& model,
                                                               std::size_t lanes,
                                                               SleepFor sleep = SleepPrecisely);

// Lets the calling thread's timed waits end within about a microsecond of their instant: Linux
// may delay them by 50 us otherwise, which would be added to every declared time.
void UsePreciseTimers();

}  // namespace xcloud
