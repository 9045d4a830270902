// The micro-benchmarks' main: Google Benchmark's own, with our conditions in the context and the
// same warnings as `xcloud bench`.

#include <benchmark/benchmark.h>

#include <cstdio>

#include "bench/conditions.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const xcloud::Conditions conditions = xcloud::ReadConditions();
  benchmark::AddCustomContext("cpu", conditions.cpu.model);
  benchmark::AddCustomContext("isa", xcloud::IsaText(conditions.cpu));
  benchmark::AddCustomContext("governor", conditions.governor);
  benchmark::AddCustomContext("kernel", conditions.kernel);
  benchmark::AddCustomContext("xcloud", conditions.version);
  benchmark::AddCustomContext("build", conditions.build_type + ", " + conditions.compiler);
  for (const std::string& warning : conditions.Warnings()) {
    std::fprintf(stderr, "WARNING %s\n", warning.c_str());
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
