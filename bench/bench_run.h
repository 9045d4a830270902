// BenchRun: one measured run with all that belongs to it, and the checks that make it valid.
//
// RunBench does what `xcloud bench` was asked to do, in the order repeat by repeat, rate by rate
// (so that drift of the machine shows as spread), and returns every run.
// Threads: the caller's only. Nothing else may use the standard streams meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench_options.h"
#include "bench/conditions.h"
#include "bench/load_generator.h"
#include "bench/server_view.h"
#include "core/result.h"

namespace xcloud {

// A run in which more requests than this share were late or held measured the generator.
inline constexpr double kMaxBehindShare = 0.02;
// One thread generates: nearer to a whole core than this, it was itself the bottleneck.
inline constexpr double kMaxGeneratorCores = 0.9;

struct BenchRun {
  std::int64_t repeat = 0;  // from 0
  double rate_per_s = 0;    // asked for; 0 in closed mode
  std::uint64_t seed = 0;
  LoadResult load;
  ServerView server;
  double generator_cores = 0;  // CPU time over wall time: 1 = one core busy
  double server_cores = -1;    // the same of --server-pid; below 0 = not read

  // Why the figures must not be used; empty = valid.
  std::vector<std::string> Invalid() const;
};

struct BenchReport {
  BenchOptions options;
  Conditions conditions;
  std::string photos;            // "12 photos, 1.3 MB" or "made 500x375 JPEG, 83 kB"
  Result<std::string> services;  // text of /api/services, or why there is none
  std::vector<BenchRun> runs;

  bool AnySucceeded() const;
  bool AllValid() const;
};

struct BenchHooks {
  // Before each run: its number from 1, and how many there are.
  std::function<void(std::size_t run, std::size_t runs)> on_start;
  std::function<void(const LoadProgress&)> on_progress;
  std::function<void(const BenchReport&, const BenchRun&)> on_run;  // after each run
  std::function<void(const BenchReport&)> on_conditions;            // before the first
};

// Fails before the first request: wrong options, no photo, no server there.
Result<BenchReport> RunBench(const BenchOptions& options, const BenchHooks& hooks);

}  // namespace xcloud
