// ModelCommand: `xcloud model`, the group of subcommands about models of a repository. Each lives
// in a file of its own, and is added here by one line.
#pragma once

#include <CLI/CLI.hpp>

namespace xcloud {

// They run inside app.parse(), and then set `exit_code`, which must outlive it.
void AddModelCommand(CLI::App& app, int& exit_code);

}  // namespace xcloud
