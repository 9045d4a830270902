// What the load generator pays for each answer, and for a percentile.

#include "bench/histogram.h"

#include <benchmark/benchmark.h>

#include <random>

namespace xcloud {
namespace {

std::vector<Duration> Latencies(std::size_t count) {
  std::mt19937_64 engine(1);
  std::lognormal_distribution<double> spread(std::log(5e6), 1);
  std::vector<Duration> out(count);
  for (Duration& value : out) value = Duration(static_cast<std::int64_t>(spread(engine)));
  return out;
}

void RecordLatency(benchmark::State& state) {
  const std::vector<Duration> values = Latencies(4096);
  LatencyHistogram histogram;
  std::size_t next = 0;
  for (auto _ : state) histogram.Record(values[next++ % values.size()]);
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(RecordLatency);

void Percentile99(benchmark::State& state) {
  LatencyHistogram histogram;
  for (const Duration value : Latencies(100'000)) histogram.Record(value);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.Percentile(0.99));
}
BENCHMARK(Percentile99);

}  // namespace
}  // namespace xcloud
