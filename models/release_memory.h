// ReleaseFreeMemory: gives what the process has freed back to the system, after a model is gone.
//
// Allocators keep freed pages for the next allocation; hundreds of megabytes of weights would stay
// with the process. Any thread; may take milliseconds and holds the allocator's locks piecewise,
// so it is called on the loader thread only.
#pragma once

namespace xcloud {

void ReleaseFreeMemory();

}  // namespace xcloud
