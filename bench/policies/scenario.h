// Scenario: a simulated server for comparing batching policies: lanes, models, batch times, SLO.
//
// Plain values and pure functions; any thread. Times are simulated, in milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace xcloud {

// How long a batch of n items takes: linear between its points, and on along the last segment.
// Below the first point as long as that one.
class BatchTimes {
 public:
  struct Point {
    std::size_t items = 1;
    double ms = 0;
  };
  // base + item * n.
  static BatchTimes Affine(double base_ms, double item_ms);
  // Measured: "1:31,4:98,16:380" = items:milliseconds, items rising. InvalidArgument says why not.
  static Result<BatchTimes> Parse(std::string_view text);

  double Ms(std::size_t items) const;
  Duration Of(std::size_t items) const { return FromMilliseconds(Ms(items)); }
  const std::string& text() const { return text_; }  // "1 + 0.03 b ms"

 private:
  std::vector<Point> points_;
  std::string text_;
};

struct Scenario {
  std::string name;        // a word for --scenario
  std::string title;       // for people
  std::size_t lanes = 1;   // equal devices of one lane each, one batch at a time
  std::size_t models = 1;  // that share them, equal load each
  BatchTimes times;
  double slo_ms = 100;
  std::size_t max_batch = 16;
  double jitter = 0;  // a batch takes its time * (1 + jitter * u), u even in [-1, 1]

  // lanes * max over b <= max_batch of b / l(b): nobody can serve more for long.
  double CapacityPerSecond() const;
};

// The six of performance.md, section 4.
std::vector<Scenario> StandardScenarios();

struct SimRequest {
  std::uint32_t id = 0;  // 0, 1, 2, ... in order of arrival
  std::uint32_t model = 0;
  TimePoint arrival;
  TimePoint deadline;  // arrival + SLO
};

// Poisson arrivals of about `requests` in all, at `load` times the capacity, each of a model drawn
// at random. The same arguments give the same arrivals on every machine.
std::vector<SimRequest> MakeArrivals(const Scenario& scenario, double load, std::size_t requests,
                                     std::uint64_t seed);

}  // namespace xcloud
