// OptimizeCommand: `xcloud model optimize` on the command line.
//
// Exit codes: 0 = a report is in place, whatever it chose; 1 = there is none; 2 = wrong options.
#pragma once

#include <CLI/CLI.hpp>

namespace xcloud {

// Adds the subcommand to `model`. It runs inside the parse, prints its table on stdout and progress
// on stderr, and then sets `exit_code`, which must outlive the parse.
void AddOptimizeCommand(CLI::App& model, int& exit_code);

}  // namespace xcloud
