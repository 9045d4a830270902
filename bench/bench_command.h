// BenchCommand: `xcloud bench` on the command line.
//
// Exit codes: 0 = every run is valid and something was answered; 1 = nothing was answered, or
// the generator fell behind in a run; 2 = it could not start (options, photos, no server).
#pragma once

#include <CLI/CLI.hpp>

namespace xcloud {

// Adds the subcommand. It runs inside app.parse(), prints its report on stdout and progress on
// stderr, and then sets `exit_code`, which must outlive `app`'s parse.
void AddBenchCommand(CLI::App& app, int& exit_code);

}  // namespace xcloud
