// BatchProfile: how long a batch of one model takes, by device and number of items. Seeded with
// what warm-up measured and kept true by each finished batch.
//
// Estimator: per bucket of sizes an exponentially weighted mean of the time plus twice the
// weighted mean deviation, the way TCP estimates round trips (RFC 6298). For batch times that
// are close to normal that is the 95th percentile (1.65 sigma = 2.06 mean deviations). Chosen
// over a quantile tracker because it is exact for constant times and follows a change of speed,
// up or down, within about a dozen batches; over a stored window because it is O(1). A sample is
// cut at twice the estimate, so that one page fault does not shrink the next ten batches.
//
// Between buckets the estimate is linear. Each bucket also averages the sizes it saw, so the
// points lie on the true line when a batch of n takes a + b*n. Where nothing is known it is
// optimistic, because a pessimist never tries and so never learns:
//   no point on the device        zero
//   below the smallest point      proportional
//   above the largest point       the last two points' slope, flat with one point
//
// Not thread-safe: guarded by its owner. Estimate costs O(buckets that are known), about 10 ns.
#pragma once

#include <cstddef>
#include <vector>

#include "core/clock.h"

namespace xcloud {

class BatchProfile {
 public:
  // Devices are 0..devices-1.
  explicit BatchProfile(std::size_t devices) : devices_(devices) {}

  // A batch of `items` took `elapsed` on `device`; warm-up's points come in here too. Ignored
  // when elapsed <= 0. REQUIRES: items > 0.
  void Learn(std::size_t device, std::size_t items, Duration elapsed);

  // What a batch of `items` will hardly exceed. Zero = not known. REQUIRES: items > 0.
  Duration Estimate(std::size_t device, std::size_t items) const;

  std::size_t devices() const { return devices_.size(); }

 private:
  struct Point {
    std::size_t bucket = 0;
    double items = 0;
    double mean_ns = 0;
    double deviation_ns = 0;
    double Mean() const { return mean_ns; }
    double High() const { return mean_ns + 2 * deviation_ns; }
  };
  using Points = std::vector<Point>;  // by bucket, hence by items

  static double At(const Points& points, double items, double (Point::*height)() const);

  std::vector<Points> devices_;
};

}  // namespace xcloud
