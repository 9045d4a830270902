#include "bench/bench_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "bench/arrivals.h"
#include "bench/http_fetch.h"
#include "bench/photos.h"
#include "bench/prepared_request.h"

namespace xcloud {
namespace {

constexpr Duration kAskTimeout = std::chrono::seconds(5);

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%", share * 100);
  return text;
}

Duration FromSeconds(double seconds) {
  return FromMilliseconds(seconds * 1e3);
}

// The soft limit of open files is often 1024; each connection is one.
void AllowOpenFiles(std::size_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = connections + 64;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);  // when refused, connects fail and are counted
}

std::string Describe(const std::vector<Photo>& photos, bool made) {
  std::size_t bytes = 0;
  for (const Photo& photo : photos) bytes += photo.bytes.size();
  char text[96];
  std::snprintf(text, sizeof(text), "%zu photo%s%s, %.1f kB on average", photos.size(),
                photos.size() == 1 ? "" : "s", made ? " made from the seed (500x375 JPEG)" : "",
                static_cast<double>(bytes) / 1e3 / static_cast<double>(photos.size()));
  return text;
}

// One rate of one repeat: warm-up and measured part, with a generator of its own.
class Runner {
 public:
  Runner(const BenchOptions& options, const BenchHooks& hooks, LoadServer server,
         const std::vector<PreparedRequest>& requests, std::string model)
      : options_(options),
        hooks_(hooks),
        server_(std::move(server)),
        requests_(requests),
        model_(std::move(model)) {}

  BenchRun Measure(std::int64_t repeat, double rate) const {
    BenchRun run;
    run.repeat = repeat;
    run.rate_per_s = rate;
    run.seed = options_.seed + static_cast<std::uint64_t>(repeat);
    LoadGenerator generator(server_, requests_, Limits(), {hooks_.on_progress, {}});
    // The warm-up drains before the scrape, so the server's counts are of the measured part only.
    // It opens the connections, and has arrivals of its own.
    if (options_.warmup_s > 0) RunOnce(generator, options_.warmup_s, rate, ~run.seed);
    const auto before = FetchText(server_, "/metrics", kAskTimeout);
    const double own_before = OwnCpuSeconds();
    const double server_before = ProcessCpuSeconds(options_.server_pid);
    const auto wall_before = std::chrono::steady_clock::now();
    run.load = RunOnce(generator, options_.duration_s, rate, run.seed);
    const double wall_s = ToMilliseconds(std::chrono::steady_clock::now() - wall_before) / 1e3;
    run.generator_cores = (OwnCpuSeconds() - own_before) / wall_s;
    const double server_after = ProcessCpuSeconds(options_.server_pid);
    if (options_.server_pid > 0 && server_before >= 0 && server_after >= 0) {
      run.server_cores = (server_after - server_before) / wall_s;
    }
    run.server = CompareScrapes(before, FetchText(server_, "/metrics", kAskTimeout), model_);
    return run;
  }

 private:
  LoadLimits Limits() const {
    return {static_cast<std::size_t>(options_.connections), FromMilliseconds(options_.timeout_ms),
            FromMilliseconds(options_.slo_ms), FromMilliseconds(options_.late_ms)};
  }

  LoadResult RunOnce(LoadGenerator& generator, double seconds, double rate,
                     std::uint64_t seed) const {
    const Duration length = FromSeconds(seconds);
    if (options_.mode == "closed") {
      return generator.RunClosed({static_cast<std::size_t>(options_.clients),
                                  FromMilliseconds(options_.think_ms), length});
    }
    const ArrivalProcess process =
        options_.mode == "poisson" ? ArrivalProcess::kPoisson : ArrivalProcess::kConstant;
    return generator.RunOpen(PlanArrivals(process, rate, length, seed), length);
  }

  const BenchOptions& options_;
  const BenchHooks& hooks_;
  const LoadServer server_;
  const std::vector<PreparedRequest>& requests_;
  const std::string model_;
};

}  // namespace

std::vector<std::string> BenchRun::Invalid() const {
  std::vector<std::string> out;
  if (load.behind_share() > kMaxBehindShare) {
    char text[256];
    std::snprintf(text, sizeof(text),
                  "generator fell behind: %s of the sends were not on time (%llu held back by the "
                  "bound on connections, %llu by a late timer); P99 lateness %.2f ms",
                  Percent(load.behind_share()).c_str(), static_cast<unsigned long long>(load.held),
                  static_cast<unsigned long long>(load.late),
                  ToMilliseconds(load.send_lag.Percentile(0.99)));
    out.emplace_back(text);
  }
  if (generator_cores > kMaxGeneratorCores) {
    out.push_back("generator fell behind: it used " + Percent(generator_cores) +
                  " of its one core");
  }
  if (load.offered == 0) out.emplace_back("no request was due: raise --duration-s or --rate");
  return out;
}

bool BenchReport::AnySucceeded() const {
  return std::any_of(runs.begin(), runs.end(), [](const BenchRun& run) { return run.load.ok > 0; });
}

bool BenchReport::AllValid() const {
  return std::all_of(runs.begin(), runs.end(),
                     [](const BenchRun& run) { return run.Invalid().empty(); });
}

Result<BenchReport> RunBench(const BenchOptions& options, const BenchHooks& hooks) {
  if (Status status = CheckBenchOptions(options); !status.ok()) return status;
  const TargetUrl target = *ParseTargetUrl(options.url);
  auto photos = options.images.empty() ? std::vector<Photo>{MakePhoto(options.seed)}
                                       : LoadPhotos(options.images);
  if (!photos.ok()) return photos.status();
  auto server = FindServer(target, options.allow_remote, kAskTimeout);
  if (!server.ok()) return server.status();
  AllowOpenFiles(static_cast<std::size_t>(options.connections));

  BenchReport report{options,
                     ReadConditions(),
                     Describe(*photos, options.images.empty()),
                     FetchText(*server, "/api/services", kAskTimeout),
                     {}};
  if (hooks.on_conditions) hooks.on_conditions(report);
  const std::vector<PreparedRequest> requests = PrepareRequests(target, options, *photos);
  const Runner runner(options, hooks, *server, requests, ModelOfPath(target.path));
  const std::vector<double> rates =
      options.mode == "closed" ? std::vector<double>{0} : options.rates;
  const std::size_t total = rates.size() * static_cast<std::size_t>(options.repeat);
  for (std::int64_t repeat = 0; repeat < options.repeat; ++repeat) {
    for (const double rate : rates) {
      if (hooks.on_start) hooks.on_start(report.runs.size() + 1, total);
      report.runs.push_back(runner.Measure(repeat, rate));
      if (hooks.on_run) hooks.on_run(report, report.runs.back());
    }
  }
  return report;
}

}  // namespace xcloud
