// `xcloud model check`: says everything that is wrong in a repository. Main thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace xcloud {

// Adds it to the group `xcloud model`. `default_folder` is asked only when the caller names none.
// Exit code: 0 nothing is wrong, 1 something is, 2 no such folder.
void AddModelCheckCommand(CLI::App& group, std::function<std::string()> default_folder,
                          int& exit_code);

}  // namespace xcloud
