// Report: a benchmark's outcome as text for people and as JSON for tools.
//
// Pure functions; any thread. All latencies are in milliseconds.
#pragma once

#include <string>

#include "bench/bench_run.h"

namespace xcloud {

// Machine, build, server and warnings: what is printed before the first run.
std::string ConditionsText(const BenchReport& report);
// One run, with what the server says about it.
std::string RunText(const BenchReport& report, const BenchRun& run);
// One line a run, and with several repeats the spread of each rate.
std::string SummaryText(const BenchReport& report);
// Everything, indented by two.
std::string ReportJson(const BenchReport& report);

// The services that /api/services tells, one a line: "imagenet 1 torchscript ready". The text
// itself, shortened, when its form is unknown.
std::string ServicesText(const std::string& services_json);

}  // namespace xcloud
