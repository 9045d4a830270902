// PoliciesCommand: `xcloud bench policies` on the command line: compares batching policies by
// simulation.
//
// Exit codes: 0 = done; 2 = wrong options, or a file could not be written.
#pragma once

#include <CLI/CLI.hpp>

namespace xcloud {

// Adds the subcommand to `bench`. It runs inside the parse, prints its tables on stdout and
// progress on stderr, and then sets `exit_code`, which must outlive the parse.
void AddPoliciesCommand(CLI::App& bench, int& exit_code);

}  // namespace xcloud
