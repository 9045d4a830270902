// PreparedRequest: one HTTP request as the bytes that go out, made before the run so that the
// generator only has to hand three buffers to the kernel.
//
// Constant once made; may be read from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/bench_options.h"
#include "bench/photos.h"
#include "core/clock.h"

namespace xcloud {

struct PreparedRequest {
  std::string head;  // request line, headers, and the form's opening for multipart
  std::shared_ptr<const std::string> photo;
  std::string tail;     // the form's closing; empty for raw
  Duration deadline{};  // that its X-Deadline-Ms tells; 0 = it has none
};

// POSTs the photo to the target. REQUIRES: options passed CheckBenchOptions; deadline_ms >= 0,
// 0 = none.
PreparedRequest PrepareRequest(const TargetUrl& target, const BenchOptions& options, Photo photo,
                               std::int64_t deadline_ms = 0);

// Every photo with every deadline, so that each deadline meets each photo: request i has photo
// i % photos; the deadline moves on with each request. REQUIRES: as above; photos not empty.
std::vector<PreparedRequest> PrepareRequests(const TargetUrl& target, const BenchOptions& options,
                                             const std::vector<Photo>& photos);

}  // namespace xcloud
