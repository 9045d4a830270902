// What becomes of the parts of a batch that failed. Pure functions.
//
// Bisection: a batch that failed on a device that is well holds an item that the model cannot
// take. Its parts run again as two groups, each alone; a group that fails again is halved again,
// until a single item fails by itself: that one is the culprit and only it is refused. An item is
// run at most log2(max_batch) + 1 times, and nobody else shares a run with a suspect.
#pragma once

#include <utility>
#include <vector>

#include "scheduler/model_queue.h"

namespace xcloud {

// Halves by items; a part of several items may be cut in two. REQUIRES: two items or more.
std::pair<std::vector<Waiting>, std::vector<Waiting>> Halve(std::vector<Waiting> parts);

}  // namespace xcloud
