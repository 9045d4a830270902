#include "bench/policies/policies_command.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "bench/policies/study.h"
#include "core/result.h"

namespace xcloud {
namespace {

constexpr const char* kAbout =
    "Compares batching policies in a simulation: which share of all requests is answered within\n"
    "the SLO, under loads below and above what the lanes can do. Needs no server and measures\n"
    "nothing: the same seeds give the same table on every machine.\n"
    "\n"
    "ours                  the scheduler's own code: earliest deadline first, batches cut by the\n"
    "                      profile, what cannot make it is refused\n"
    "ours, deferring       the same with [batching] defer: waits for fuller batches\n"
    "no batching           one by one, first come first served\n"
    "take all              whatever waits, up to max_batch\n"
    "take all, drop expired  the same without those whose deadline has passed\n"
    "delay 10 %, 40 %      waits for a full batch, at most that share of the SLO\n"
    "\n"
    "Six scenarios are built in; your own comes from measured batch times:\n"
    "  xcloud bench policies --svg policies.svg --json policies.json\n"
    "  xcloud bench policies --times 1:31,4:98,16:380 --slo-ms 500 --max-batch 16 --lanes 2\n"
    "\n"
    "Load is told as a share of the capacity: lanes times the best of b / l(b), where l(b) is the\n"
    "time of a batch of b. Above 100 % nobody can serve all; what counts is how much is served in\n"
    "time. The table also tells up to which load 99 % are in SLO (by bisection), and the mean\n"
    "latency at 20 % load: what waiting for others costs when there are few.\n"
    "Exit code: 0 done, 2 wrong options or a file that cannot be written.";

struct Asked {
  StudyOptions study;
  std::vector<std::string> scenarios;  // names; empty = all
  std::string times;                   // of an own scenario; empty = none
  double slo_ms = 100;
  std::int64_t max_batch = 16;
  std::int64_t lanes = 1;
  std::int64_t models = 1;
  double jitter = 0;
  std::string json_file;
  std::string svg_file;
};

void AddOptions(CLI::App& command, Asked& asked) {
  command.option_defaults()->always_capture_default();  // shown by --help
  std::string names;
  for (const Scenario& scenario : StandardScenarios()) names += ' ' + scenario.name;
  command.add_option("--scenario", asked.scenarios, "Only these, repeatable:" + names);
  command.add_option("--seeds", asked.study.seeds, "Runs of each point")
      ->check(CLI::Range(1, 1000));
  command.add_option("--seed", asked.study.first_seed, "Of the first run; run i uses seed + i");
  command.add_option("--requests", asked.study.requests, "Arrivals of each run")
      ->check(CLI::Range(100, 2'000'000));
  command
      .add_option("--jitter", asked.jitter,
                  "Batch times vary evenly by this share up and down; the profile learns it")
      ->check(CLI::Range(0.0, 0.9));
  command.add_option("--times", asked.times,
                     "Own scenario: measured items:milliseconds,... instead of the built-in ones");
  command.add_option("--slo-ms", asked.slo_ms, "Own scenario: an answer within it is good")
      ->check(CLI::Range(0.001, 3'600'000.0));
  command.add_option("--max-batch", asked.max_batch, "Own scenario: most items in a batch")
      ->check(CLI::Range(1, 1024));
  command.add_option("--lanes", asked.lanes, "Own scenario: equal lanes")->check(CLI::Range(1, 64));
  command.add_option("--models", asked.models, "Own scenario: models that share them")
      ->check(CLI::Range(1, 64));
  command.add_option("--json", asked.json_file, "Writes every figure to this file as well");
  command.add_option("--svg", asked.svg_file, "Plots in-SLO share over load into this file");
}

Result<std::vector<Scenario>> ChooseScenarios(const Asked& asked) {
  std::vector<Scenario> chosen;
  if (!asked.times.empty()) {
    Result<BatchTimes> times = BatchTimes::Parse(asked.times);
    if (!times.ok()) return Status::InvalidArgument("--times: " + times.status().message());
    if (!asked.scenarios.empty()) {
      return Status::InvalidArgument("--scenario: --times makes a scenario of its own; use one");
    }
    chosen.push_back({"own", "own scenario", static_cast<std::size_t>(asked.lanes),
                      static_cast<std::size_t>(asked.models), *times, asked.slo_ms,
                      static_cast<std::size_t>(asked.max_batch)});
  } else if (asked.scenarios.empty()) {
    chosen = StandardScenarios();
  }
  for (const std::string& name : asked.scenarios) {
    const std::size_t before = chosen.size();
    for (const Scenario& scenario : StandardScenarios()) {
      if (scenario.name == name) chosen.push_back(scenario);
    }
    if (chosen.size() == before) {
      return Status::InvalidArgument("--scenario: there is no '" + name + "'; see --help");
    }
  }
  for (Scenario& scenario : chosen) scenario.jitter = asked.jitter;
  return chosen;
}

bool WriteFile(const char* option, const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) {
    std::fprintf(stderr, "xcloud bench policies: %s: cannot write %s\n", option, path.c_str());
  }
  return out.good();
}

int RunPoliciesCommand(const Asked& asked) {
  Result<std::vector<Scenario>> scenarios = ChooseScenarios(asked);
  if (!scenarios.ok()) {
    std::fprintf(stderr, "xcloud bench policies: %s\n", scenarios.status().message().c_str());
    return 2;
  }
  StudyOptions options = asked.study;
  options.scenarios = *std::move(scenarios);
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const Study study = RunStudy(
      options, ComparedPolicies(), [terminal](const Scenario& scenario, const PolicyKind& policy) {
        if (!terminal) return;
        std::fprintf(stderr, "\r\033[K%s: %s", scenario.title.c_str(), policy.label.c_str());
        std::fflush(stderr);
      });
  if (terminal) std::fputs("\r\033[K", stderr);
  const Conditions conditions = ReadConditions();
  std::fputs(StudyText(study, conditions).c_str(), stdout);
  std::fflush(stdout);
  const bool json = WriteFile("--json", asked.json_file, StudyJson(study, conditions));
  const bool svg = WriteFile("--svg", asked.svg_file, StudySvg(study, conditions));
  return json && svg ? 0 : 2;
}

}  // namespace

void AddPoliciesCommand(CLI::App& bench, int& exit_code) {
  CLI::App* command = bench.add_subcommand("policies", kAbout);
  auto asked = std::make_shared<Asked>();
  AddOptions(*command, *asked);
  command->callback([asked, &exit_code] { exit_code = RunPoliciesCommand(*asked); });
}

}  // namespace xcloud
