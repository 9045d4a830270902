// PublishCommand: `xcloud publish` on the command line.
//
// Exit codes: 0 = published; 1 = refused, every reason on stderr, and nothing was written.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace xcloud {

// Adds the subcommand. It runs inside app.parse(), prints progress on stderr and one line on
// stdout, and then sets `exit_code`, which must outlive `app`'s parse. `default_repository` is
// asked only when the caller names none.
void AddPublishCommand(CLI::App& app, std::function<std::string()> default_repository,
                       int& exit_code);

}  // namespace xcloud
