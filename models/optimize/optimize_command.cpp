#include "models/optimize/optimize_command.h"

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/log.h"
#include "models/optimize/optimize.h"

namespace xcloud {
namespace {

constexpr const char* kAbout =
    "Finds what runs a model fastest on this host, and serves that.\n"
    "\n"
    "Builds variants of the version that would be served (OpenVINO in fp32; in INT8, quantised by\n"
    "NNCF and calibrated on every third of your photos; AOTInductor, compiled for this "
    "processor),\n"
    "checks each against the model's own file on the other photos, through the preprocessing that\n"
    "serves, and times all of them in turns. The fastest is served if it is at least --min-gain\n"
    "faster at batch 1 and at max_batch and close enough: fp32 within --max-error of every\n"
    "probability; INT8 only with --allow-int8, and if it names the same likeliest label for\n"
    "--min-agreement of 50 photos or more.\n"
    "\n"
    "Leaves ROOT/NAME/VERSION/optimized/HOSTKEY/ with report.md for you, report.json for the "
    "server,\n"
    "and the chosen variant's files. The server reads them when it loads the model (backend = "
    "auto\n"
    "in model.toml); on a host of another key, or when a file has changed, it serves the model's "
    "own\n"
    "file and says so. A running server takes it up when the model is loaded again. To go back,\n"
    "remove that folder. CUDA devices serve the model's own file always.\n"
    "\n"
    "Uses all cores for some minutes: stop the load first, or the times mean nothing.\n"
    "\n"
    "Examples:\n"
    "  xcloud model optimize imagenet --photos photos/\n"
    "  xcloud model optimize imagenet --photos photos/ --allow-int8\n"
    "  xcloud model optimize imagenet --variants openvino-fp32 --lanes 1 --threads 2";

struct CommandOptions {
  OptimizeOptions optimize;
  std::size_t lanes = DefaultLayout().lanes;
  std::size_t threads = DefaultLayout().threads;
};

void AddOptions(CLI::App& command, CommandOptions& o) {
  command.option_defaults()->always_capture_default();  // shown by --help
  command.add_option("name", o.optimize.model, "The model: a folder of the repository")->required();
  command.add_option("--repository", o.optimize.repository, "Folder of models");
  command.add_option("--photos", o.optimize.photos,
                     "Folder of photos like those that will be asked about; without it fp32 is "
                     "checked on made items and nothing is quantised");
  command.add_option("--most-photos", o.optimize.most_photos, "Of that folder, by name");
  std::vector<std::string> kinds;
  for (const VariantKind& kind : VariantKinds()) kinds.push_back(kind.option);
  command.add_option("--variants", o.optimize.variants, "Only these, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(kinds));
  command
      .add_option("--min-gain", o.optimize.rules.min_gain,
                  "Share by which a variant must be faster to be served: 5% or 0.05")
      ->transform(CLI::Validator(
          [](std::string& text) {
            if (text.empty() || text.back() != '%') return std::string();
            text.pop_back();
            double share = 0;
            const char* const end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, share);
            if (read.ec != std::errc() || read.ptr != end) return "not a number: " + text;
            text = std::to_string(share / 100);
            return std::string();
          },
          "", "percent"));
  command.add_option("--max-error", o.optimize.rules.max_error,
                     "Largest error of a probability, of variants in fp32");
  command.add_flag("--allow-int8", o.optimize.rules.allow_int8,
                   "Quantised variants may be served: a few labels in a hundred change");
  command.add_option("--min-agreement", o.optimize.rules.min_agreement,
                     "Share of photos for which a quantised variant must name the same label");
  command.add_option("--lanes", o.lanes, "Of the server that will run it: its times decide")
      ->check(CLI::Range(1, 1024));
  command.add_option("--threads", o.threads, "Of each of those lanes")->check(CLI::Range(1, 1024));
  command.add_option("--rounds", o.optimize.rounds, "Of timing; the variants take turns")
      ->check(CLI::Range(1, 1000));
  command
      .add_option("--seconds", o.optimize.seconds,
                  "Of a variant in a round, for each way to share out the cores and batch size")
      ->check(CLI::Range(0.01, 3600.0));
  command.add_flag("--keep-all", o.optimize.keep_all,
                   "Keep the files of variants that were not chosen, to measure them elsewhere");
  command.add_option("--python", o.optimize.tools.python, "Builds the variants");
  command.add_option("--script", o.optimize.tools.script, "build_variants.py");
}

int Run(CommandOptions& options) {
  InitLog("warn");
  OptimizeOptions& optimize = options.optimize;
  optimize.rules.layout = {options.lanes, options.threads};
  optimize.layouts = {optimize.rules.layout};
  const std::size_t cores = options.lanes * options.threads;
  // The other extreme, to show what it would give.
  if (options.threads == 1 && cores > 1) optimize.layouts.push_back({1, cores});
  if (options.threads > 1) optimize.layouts.push_back({cores, 1});
  const Result<OptimizeReport> report = Optimize(
      optimize, [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); });
  if (!report.ok()) {
    std::fprintf(stderr, "xcloud model optimize: %s\n", report.status().message().c_str());
    return 1;
  }
  std::fputs(WriteReportMarkdown(*report).c_str(), stdout);
  return 0;
}

}  // namespace

void AddOptimizeCommand(CLI::App& model, int& exit_code) {
  CLI::App* command = model.add_subcommand("optimize", kAbout);
  auto options = std::make_shared<CommandOptions>();
  options->optimize.tools = {XCLOUD_VENV "/bin/python",
                             XCLOUD_SOURCE_DIR "/models/optimize/build_variants.py"};
  AddOptions(*command, *options);
  command->callback([options, &exit_code] { exit_code = Run(*options); });
}

}  // namespace xcloud
