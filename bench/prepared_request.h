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

namespace xcloud {

struct PreparedRequest {
  std::string head;  // request line, headers, and the form's opening for multipart
  std::shared_ptr<const std::string> photo;
  std::string tail;  // the form's closing; empty for raw
};

// POSTs the photo to the target. REQUIRES: options passed CheckBenchOptions.
PreparedRequest PrepareRequest(const TargetUrl& target, const BenchOptions& options, Photo photo);

}  // namespace xcloud
