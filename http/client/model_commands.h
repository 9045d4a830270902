// The subcommands of the program that talk to a running server: `xcloud model list`, `load` and
// `unload`. Main thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace xcloud {

// Adds them to the group `xcloud model`. `default_server` is asked only when the caller names no
// --server. Exit code: 0 done, 1 the server refused or it failed, 2 the server cannot be reached.
void AddModelClientCommands(CLI::App& group, std::function<std::string()> default_server,
                            int& exit_code);

}  // namespace xcloud
