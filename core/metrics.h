// Metrics: counters, gauges and histograms, registered once and then updated without a lock.
//
// Thread safety: the registry may be used from any thread; a returned reference stays valid as
// long as the registry and may be updated from any thread (relaxed atomics: a scrape may see one
// of two related numbers first). Names and text follow the Prometheus exposition format 0.0.4.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/mutex.h"

namespace xcloud {

class Counter {
 public:
  void Add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  void Add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Cumulative buckets with fixed upper bounds. The sum is a double: it never wraps, and years of
// summed time still have their microseconds (2^53 us are 285 years). REQUIRES: finite values.
class Histogram {
 public:
  // REQUIRES: bounds rise strictly; +Inf is added.
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  std::vector<std::uint64_t> counts() const;  // not cumulative; bounds().size() + 1 entries
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  static_assert(std::atomic<double>::is_always_lock_free);

  const std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// Label pairs in the order in which they are written: {{"model", "imagenet"}}.
using Labels = std::vector<std::pair<std::string, std::string>>;

class MetricsRegistry {
 public:
  // Each returns the one metric of that name and those labels, made at the first call. `help` is
  // kept from the first call of the name. REQUIRES: one kind per name.
  Counter& GetCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& GetGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& GetHistogram(std::string_view name, std::string_view help,
                          const std::vector<double>& bounds, const Labels& labels = {});

  // Everything, as Prometheus text, families by name.
  std::string Render() const;

 private:
  struct Family {
    std::string help;
    std::string_view kind;
    std::map<std::string, std::unique_ptr<Counter>> counters;  // key: rendered labels
    std::map<std::string, std::unique_ptr<Gauge>> gauges;
    std::map<std::string, std::unique_ptr<Histogram>> histograms;
  };
  Family& GetFamily(std::string_view name, std::string_view help, std::string_view kind)
      XC_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ XC_GUARDED_BY(mutex_);
};

// Bounds for times in seconds, 100 us to 10 s, about 1-2-5 per decade.
const std::vector<double>& LatencyBoundsSeconds();
// Bounds for batch sizes in items: 1 2 3 4 6 8 12 16 24 32 48 64 128.
const std::vector<double>& BatchSizeBounds();

}  // namespace xcloud
