#include "models/check_command.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "models/repository_check.h"

namespace xcloud {
namespace {

constexpr int kNoFolder = 2;

struct Options {
  std::function<std::string()> default_folder;
  std::string folder;
  bool load = false;
};

int RunCheck(const Options& options) {
  const std::string folder = options.folder.empty() ? options.default_folder() : options.folder;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  RepositoryCheckOptions how;
  how.load = options.load;
  if (terminal) {
    how.on_version = [](const std::string& version) {
      std::fprintf(stderr, "\r\033[Klooking at %s", version.c_str());
      std::fflush(stderr);
    };
  }
  const Result<RepositoryReport> report = CheckRepository(folder, how);
  if (terminal) std::fputs("\r\033[K", stderr);
  if (!report.ok()) {
    std::fprintf(stderr, "xcloud model check: %s\n", report.status().message().c_str());
    return kNoFolder;
  }
  for (const RepositoryFinding& finding : report->findings) {
    std::printf("%s%s\n", finding.wrong ? "wrong: " : "note:  ", finding.text.c_str());
  }
  std::printf("%zu services, %zu versions: %zu wrong\n", report->services, report->versions,
              report->wrong());
  return report->wrong() > 0 ? 1 : 0;
}

}  // namespace

void AddModelCheckCommand(CLI::App& group, std::function<std::string()> default_folder,
                          int& exit_code) {
  CLI::App* command = group.add_subcommand(
      "check",
      "Says everything that is wrong in a repository, without a server: model.toml and "
      "labels.txt,\n"
      "versions and their labels, missing files, checksums, links that lead out of it.\n\n"
      "Examples:\n"
      "  xcloud model check\n"
      "  xcloud model check configs/models/imagenet --load");
  auto options = std::make_shared<Options>();
  options->default_folder = std::move(default_folder);
  command->add_option("folder", options->folder,
                      "A repository, or one model's folder; default: [repository] path of the "
                      "configuration");
  command->add_flag("--load", options->load,
                    "Load each version as well, on one CPU lane: does the file run the declared "
                    "input, and does it give as many scores as there are labels");
  command->footer("Exit code: 0 nothing is wrong, 1 something is, 2 the folder cannot be read.");
  command->callback([options, &exit_code] { exit_code = RunCheck(*options); });
}

}  // namespace xcloud
