#include "bench/bench_command.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "bench/bench_run.h"
#include "bench/policies/policies_command.h"
#include "bench/report.h"

namespace xcloud {
namespace {

constexpr const char* kAbout =
    "Sends photos to a running server and measures its answers.\n"
    "\n"
    "closed    N clients, each waits for its answer before it sends again. Shows the most that "
    "the\n"
    "          server can do; says little about latency, since a slow server is asked less.\n"
    "poisson   requests leave at random instants at a mean rate, like independent callers. "
    "Latency\n"
    "          counts from the instant at which a request was meant to leave, so a stall of the\n"
    "          server is charged to all that had to wait. Use this for every latency you quote.\n"
    "constant  the same with equal gaps: flatters tails, finds steps.\n"
    "\n"
    "Examples:\n"
    "  xcloud bench --image photos/ --clients 8\n"
    "  xcloud bench --image photos/ --mode poisson --rate 50 --rate 100 --slo-ms 100 --repeat 3\n"
    "  xcloud bench --mode poisson --rate 200 --deadline-ms 50 --deadline-ms 300\n"
    "\n"
    "'xcloud bench policies --help': compares batching policies without a server.\n"
    "First find the capacity with closed, then sweep poisson at 0.2, 0.5, 0.8 and 1.0 of it.\n"
    "Exit code: 0 valid, 1 nothing answered or the generator fell behind, 2 could not start.";

void AddOptions(CLI::App& command, BenchOptions& o) {
  command.option_defaults()->always_capture_default();  // shown by --help
  command.add_option("--url", o.url, "Where to POST; only http://");
  command.add_flag("--allow-remote", o.allow_remote,
                   "Load a machine other than this one; only if you may");
  command.add_option("--image", o.images,
                     "Photo file or folder, repeatable, sent in turn; default: one made photo");
  command.add_option("--body", o.body, "raw: the file is the body; multipart: a form");
  command.add_option("--header", o.headers, "'Name: value' to send along, repeatable");
  command.add_option("--mode", o.mode, "closed, poisson or constant");
  command.add_option("--clients", o.clients, "closed: requests under way at a time");
  command.add_option("--think-ms", o.think_ms, "closed: pause after an answer");
  command.add_option("--rate", o.rates, "Open loop: requests a second; repeat it for a sweep");
  command.add_option("--duration-s", o.duration_s, "Measured time of each run");
  command.add_option("--warmup-s", o.warmup_s, "Same load before it, not counted");
  command.add_option("--connections", o.connections,
                     "Most connections at a time; they grow as needed");
  command.add_option("--slo-ms", o.slo_ms, "An answer within it counts as goodput");
  command.add_option("--deadline-ms", o.deadlines_ms,
                     "Sends X-Deadline-Ms, repeatable, in turn; shows how late each 504 comes");
  command.add_option("--timeout-ms", o.timeout_ms,
                     "A request unanswered so long after its intended send has failed");
  command.add_option("--late-ms", o.late_ms,
                     "A send later than this by the generator's fault counts as behind");
  command.add_option("--seed", o.seed, "Of arrivals and of the made photo; run i uses seed + i");
  command.add_option("--repeat", o.repeat, "Runs of the whole plan; their spread is shown");
  command.add_option("--server-pid", o.server_pid, "Reads that process's CPU time from /proc");
  command.add_option("--json", o.json_file, "Writes everything to this file as well");
}

// "\r" lines on a terminal only: files and pipes get the report, not the ticking.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled) {}

  void Start(std::size_t run, std::size_t runs) {
    run_ = run;
    runs_ = runs;
  }
  void Show(const LoadProgress& p) {
    if (!enabled_) return;
    const double elapsed_s = ToMilliseconds(p.elapsed) / 1e3;
    const double left_s = ToMilliseconds(p.length - p.elapsed) / 1e3;
    std::fprintf(stderr, "\r\033[Krun %zu of %zu: %.1f answers/s, %llu failed, %s", run_, runs_,
                 elapsed_s > 0 ? static_cast<double>(p.ended) / elapsed_s : 0,
                 static_cast<unsigned long long>(p.failed),
                 left_s > 0 ? (std::to_string(static_cast<int>(left_s + 1)) + " s left").c_str()
                            : "waiting for the last answers");
    std::fflush(stderr);
  }
  void Clear() {
    if (enabled_) std::fputs("\r\033[K", stderr);
  }

 private:
  const bool enabled_;
  std::size_t run_ = 0;
  std::size_t runs_ = 0;
};

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) std::fprintf(stderr, "xcloud bench: --json: cannot write %s\n", path.c_str());
  return out.good();
}

int RunBenchCommand(const BenchOptions& options) {
  ProgressLine progress(isatty(STDERR_FILENO) == 1);
  BenchHooks hooks;
  hooks.on_conditions = [](const BenchReport& report) { Print(ConditionsText(report) + '\n'); };
  hooks.on_start = [&](std::size_t run, std::size_t runs) { progress.Start(run, runs); };
  hooks.on_progress = [&](const LoadProgress& p) { progress.Show(p); };
  hooks.on_run = [&](const BenchReport& report, const BenchRun& run) {
    progress.Clear();
    Print(RunText(report, run) + '\n');
  };
  const Result<BenchReport> report = RunBench(options, hooks);
  if (!report.ok()) {
    std::fprintf(stderr, "xcloud bench: %s\n", report.status().message().c_str());
    return 2;
  }
  Print(SummaryText(*report));
  if (!options.json_file.empty() && !WriteFile(options.json_file, ReportJson(*report))) return 2;
  if (!report->AnySucceeded()) std::fputs("xcloud bench: nothing was answered\n", stderr);
  if (!report->AllValid()) std::fputs("xcloud bench: a run is INVALID, see above\n", stderr);
  return report->AnySucceeded() && report->AllValid() ? 0 : 1;
}

}  // namespace

void AddBenchCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", kAbout);
  auto options = std::make_shared<BenchOptions>();
  AddOptions(*command, *options);
  AddPoliciesCommand(*command, exit_code);
  command->callback([command, options, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = RunBenchCommand(*options);
  });
}

}  // namespace xcloud
