#include "scheduler/profile.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/status.h"

namespace xcloud {
namespace {

// Upper ends, in items: fine where batches are small and time per item changes most.
constexpr std::array<std::size_t, 17> kBuckets = {1,  2,  4,   8,   12,  16,  24,  32,  48,
                                                  64, 96, 128, 192, 256, 384, 512, 1024};
// Weight of a new sample: remembers about the last eight batches of a bucket.
constexpr double kGain = 1.0 / 8;
constexpr double kCutAt = 2;

std::size_t BucketOf(std::size_t items) {
  const auto found = std::lower_bound(kBuckets.begin(), kBuckets.end() - 1, items);
  return static_cast<std::size_t>(found - kBuckets.begin());
}

}  // namespace

void BatchProfile::Learn(std::size_t device, std::size_t items, Duration elapsed) {
  XC_CHECK(device < devices_.size() && items > 0);
  if (elapsed <= Duration::zero()) return;
  Points& points = devices_[device];
  const std::size_t bucket = BucketOf(items);
  const auto size = static_cast<double>(items);
  auto time_ns = static_cast<double>(elapsed.count());
  const auto at = std::lower_bound(points.begin(), points.end(), bucket,
                                   [](const Point& p, std::size_t b) { return p.bucket < b; });
  if (at == points.end() || at->bucket != bucket) {
    points.insert(at, Point{bucket, size, time_ns, 0});
    return;
  }
  time_ns = std::min(time_ns, kCutAt * At(points, size, &Point::High));
  const double surprise = std::abs(time_ns - At(points, size, &Point::Mean));
  at->items += kGain * (size - at->items);
  at->mean_ns += kGain * (time_ns - at->mean_ns);
  at->deviation_ns += kGain * (surprise - at->deviation_ns);
}

Duration BatchProfile::Estimate(std::size_t device, std::size_t items) const {
  XC_CHECK(device < devices_.size() && items > 0);
  const double ns = At(devices_[device], static_cast<double>(items), &Point::High);
  return Duration(std::llround(ns));
}

double BatchProfile::At(const Points& points, double items, double (Point::*height)() const) {
  if (points.empty()) return 0;
  const Point& first = points.front();
  if (items <= first.items) return (first.*height)() * items / first.items;
  if (points.size() == 1) return (first.*height)();
  // The first point at or above `items`; past the end, the last one, to extend its segment.
  std::size_t upper = 1;
  while (upper + 1 < points.size() && points[upper].items < items) ++upper;
  const Point& a = points[upper - 1];
  const Point& b = points[upper];
  const double slope = ((b.*height)() - (a.*height)()) / (b.items - a.items);
  if (items > b.items) return (b.*height)() + std::max(slope, 0.0) * (items - b.items);
  return (a.*height)() + slope * (items - a.items);
}

}  // namespace xcloud
