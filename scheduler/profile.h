// BatchProfile: how long a batch of one model takes, by device and number of items. Seeded with
// what warm-up measured, then with what an earlier run had learned, and kept true by each
// finished batch.
//
// Estimator: per bucket of sizes an exponentially weighted mean of the time plus twice the
// weighted mean deviation, the way TCP estimates round trips (RFC 6298). For batch times that
// are close to normal that is the 95th percentile (1.65 sigma = 2.06 mean deviations). Chosen
// over a quantile tracker because it is exact for constant times and follows a change of speed,
// up or down, within about a dozen batches; over a stored window because it is O(1). A sample is
// cut at twice the estimate, so that one page fault does not shrink the next ten batches.
//
// Buckets: each size up to 8 and each power of two has its own: CPU lanes run all of the former,
// and lanes are warmed for the latter. The sizes between share two buckets an octave.
// Between buckets the estimate is linear. Each bucket also averages the sizes it saw, so the
// points lie on the true line when a batch of n takes a + b*n. Where nothing is known it is
// optimistic, because a pessimist never tries and so never learns:
//   no point on the device        zero
//   below the smallest point      proportional
//   above the largest point       the last two points' slope, flat with one point
//
// Padding: some sizes are dearer than larger ones (a CUDA graph exists for 16 and not for 13), so
// Estimate may fall as the batch grows. Cost looks ahead: it never exceeds Estimate, and as a
// batch grows it falls by at most the gain that padding must bring (2 %), so "grow while Cost
// fits" is not stopped by a dear size with a cheap one above it.
//
// Not thread-safe: guarded by its owner. Every const method costs O(buckets that are known):
// with 13 of them Estimate takes about 20 ns and CheapestSize and Cost 40 ns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace xcloud {

// One learned point as it is kept between runs (scheduler/profile_store.h). Plain value.
struct ProfileEntry {
  std::string device;    // "cpu0"
  std::size_t size = 0;  // the largest batch that its bucket saw, in items; names the bucket
  double items = 0;      // the average size of those batches
  double mean_ns = 0;    // their time
  double deviation_ns = 0;

  friend bool operator==(const ProfileEntry&, const ProfileEntry&) = default;
};

class BatchProfile {
 public:
  // Devices are 0..devices-1.
  explicit BatchProfile(std::size_t devices) : devices_(devices), rising_(devices, true) {}

  // A batch of `items` took `elapsed` on `device`; warm-up's points come in here too. Ignored
  // when elapsed <= 0. REQUIRES: items > 0.
  void Learn(std::size_t device, std::size_t items, Duration elapsed);

  // What a batch of exactly `items` will hardly exceed. Zero = not known. REQUIRES: items > 0.
  Duration Estimate(std::size_t device, std::size_t items) const;

  // The size to run `items` at: of `items` itself and the known larger sizes up to `max_batch`,
  // the one with the smallest estimate. Larger only when that saves at least 2 %: smaller gains
  // are noise, and would flap. REQUIRES: items > 0.
  std::size_t CheapestSize(std::size_t device, std::size_t items, std::size_t max_batch) const;

  // What `items` cost when they run at CheapestSize. Zero = not known. REQUIRES: items > 0.
  Duration Cost(std::size_t device, std::size_t items, std::size_t max_batch) const;

  // The points of `device`, by size, under the name that the configuration gives it.
  std::vector<ProfileEntry> Export(std::size_t device, std::string_view name) const;

  // Takes from `entries` those of the device called `name`; gives the number taken. Call after
  // warm-up's points were learned and before any batch was. An entry is taken when its mean is
  // within a factor of 3 of what warm-up says of that size, measured or interpolated; otherwise
  // the machine changed, and warm-up, which is never older than this process, is believed.
  // Without any point of warm-up nothing is taken: nothing vouches for the entries.
  std::size_t Restore(std::size_t device, std::string_view name,
                      const std::vector<ProfileEntry>& entries);

  std::size_t devices() const { return devices_.size(); }

 private:
  struct Point {
    std::size_t bucket = 0;
    std::size_t size = 0;  // the largest that was seen
    double items = 0;
    double mean_ns = 0;
    double deviation_ns = 0;
    double Mean() const { return mean_ns; }
    double High() const { return mean_ns + 2 * deviation_ns; }
  };
  using Points = std::vector<Point>;  // by bucket, hence by items and by size
  struct Choice {
    std::size_t size = 0;
    double high_ns = 0;
  };

  static double At(const Points& points, double items, double (Point::*height)() const);
  static Points::iterator Find(Points& points, std::size_t bucket);
  Choice Cheapest(std::size_t device, std::size_t items, std::size_t max_batch) const;

  // Whether no larger point is cheaper than a smaller one: then nothing is ever padded, and
  // Cheapest, which each decision asks for each queue, need not look.
  void NoteOrder(std::size_t device);

  std::vector<Points> devices_;
  std::vector<bool> rising_;
};

}  // namespace xcloud
