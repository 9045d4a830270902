#include "scheduler/profile.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/status.h"

namespace xcloud {
namespace {

// Upper ends, in items. A power of two is alone in its bucket: lanes are warmed for it, and what
// the odd sizes below it cost must not blur what padding to it costs. The last bucket also holds
// whatever is larger.
constexpr std::array<std::size_t, 28> kBuckets = {1,   2,   3,   4,   5,   6,   7,    8,   12,  15,
                                                  16,  24,  31,  32,  48,  63,  64,   96,  127, 128,
                                                  192, 255, 256, 384, 511, 512, 1023, 1024};
// Weight of a new sample: remembers about the last eight batches of a bucket.
constexpr double kGain = 1.0 / 8;
constexpr double kCutAt = 2;
// Padding must cost no more than this part of the unpadded time.
constexpr double kPaddedAtMost = 0.98;
// Kept and measured times that differ by more come from different machines. Clock speed, a noisy
// neighbour or a warm cache make less; another GPU or another number of threads make more.
constexpr double kSameMachine = 3;

std::size_t BucketOf(std::size_t items) {
  const auto found = std::lower_bound(kBuckets.begin(), kBuckets.end() - 1, items);
  return static_cast<std::size_t>(found - kBuckets.begin());
}

// Could a BatchProfile have made it? What was read from a file need not be.
bool IsPlausible(const ProfileEntry& entry) {
  if (entry.size == 0) return false;
  const std::size_t bucket = BucketOf(entry.size);
  const double below = bucket == 0 ? 0 : static_cast<double>(kBuckets[bucket - 1]);
  return entry.items > below && entry.items <= static_cast<double>(entry.size) &&
         entry.mean_ns > 0 && std::isfinite(entry.mean_ns) && entry.deviation_ns >= 0 &&
         std::isfinite(entry.deviation_ns);
}

}  // namespace

void BatchProfile::Learn(std::size_t device, std::size_t items, Duration elapsed) {
  XC_CHECK(device < devices_.size() && items > 0);
  if (elapsed <= Duration::zero()) return;
  Points& points = devices_[device];
  const std::size_t bucket = BucketOf(items);
  const auto size = static_cast<double>(items);
  auto time_ns = static_cast<double>(elapsed.count());
  const auto at = Find(points, bucket);
  if (at == points.end() || at->bucket != bucket) {
    points.insert(at, Point{bucket, items, size, time_ns, 0});
    return NoteOrder(device);
  }
  time_ns = std::min(time_ns, kCutAt * At(points, size, &Point::High));
  const double surprise = std::abs(time_ns - At(points, size, &Point::Mean));
  at->size = std::max(at->size, items);
  // Never above the largest size: rounding must not push the average into the next bucket.
  at->items = std::min(at->items + kGain * (size - at->items), static_cast<double>(at->size));
  at->mean_ns += kGain * (time_ns - at->mean_ns);
  at->deviation_ns += kGain * (surprise - at->deviation_ns);
  NoteOrder(device);
}

void BatchProfile::NoteOrder(std::size_t device) {
  const Points& points = devices_[device];
  rising_[device] =
      std::is_sorted(points.begin(), points.end(),
                     [](const Point& a, const Point& b) { return a.High() < b.High(); });
}

Duration BatchProfile::Estimate(std::size_t device, std::size_t items) const {
  XC_CHECK(device < devices_.size() && items > 0);
  const double ns = At(devices_[device], static_cast<double>(items), &Point::High);
  return Duration(std::llround(ns));
}

std::size_t BatchProfile::CheapestSize(std::size_t device, std::size_t items,
                                       std::size_t max_batch) const {
  return Cheapest(device, items, max_batch).size;
}

Duration BatchProfile::Cost(std::size_t device, std::size_t items, std::size_t max_batch) const {
  return Duration(std::llround(Cheapest(device, items, max_batch).high_ns));
}

BatchProfile::Choice BatchProfile::Cheapest(std::size_t device, std::size_t items,
                                            std::size_t max_batch) const {
  XC_CHECK(device < devices_.size() && items > 0);
  const Points& points = devices_[device];
  const Choice own{items, At(points, static_cast<double>(items), &Point::High)};
  if (rising_[device]) return own;
  const double worth = own.high_ns * kPaddedAtMost;
  Choice best = own;
  for (const Point& point : points) {
    if (point.size <= items) continue;
    if (point.size > max_batch) break;
    // The time at the bucket's largest size; its average size is mostly the same.
    const auto size = static_cast<double>(point.size);
    const double high = point.items < size ? At(points, size, &Point::High) : point.High();
    if (high <= worth && high < best.high_ns) best = {point.size, high};
  }
  return best;
}

std::vector<ProfileEntry> BatchProfile::Export(std::size_t device, std::string_view name) const {
  XC_CHECK(device < devices_.size());
  std::vector<ProfileEntry> entries;
  for (const Point& point : devices_[device]) {
    entries.push_back(
        {std::string(name), point.size, point.items, point.mean_ns, point.deviation_ns});
  }
  return entries;
}

std::size_t BatchProfile::Restore(std::size_t device, std::string_view name,
                                  const std::vector<ProfileEntry>& entries) {
  XC_CHECK(device < devices_.size());
  const Points warm = devices_[device];  // each entry is held against warm-up, not against others
  if (warm.empty()) return 0;
  Points& points = devices_[device];
  std::size_t taken = 0;
  for (const ProfileEntry& entry : entries) {
    if (entry.device != name || !IsPlausible(entry)) continue;
    const double expected = At(warm, entry.items, &Point::Mean);
    if (entry.mean_ns > kSameMachine * expected || entry.mean_ns * kSameMachine < expected) {
      continue;
    }
    const std::size_t bucket = BucketOf(entry.size);
    Point point{bucket, entry.size, entry.items, entry.mean_ns, entry.deviation_ns};
    const auto at = Find(points, bucket);
    if (at != points.end() && at->bucket == bucket) {
      point.size = std::max(point.size, at->size);  // what warm-up ran is known to run
      *at = point;
    } else {
      points.insert(at, point);
    }
    ++taken;
  }
  NoteOrder(device);
  return taken;
}

BatchProfile::Points::iterator BatchProfile::Find(Points& points, std::size_t bucket) {
  return std::lower_bound(points.begin(), points.end(), bucket,
                          [](const Point& p, std::size_t b) { return p.bucket < b; });
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
