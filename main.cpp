// The composition root: the table of subcommands, and the one place that knows every room.
//
// serve wires them in this order, each living longer than the ones after it:
//   metrics, clock -> call log -> devices -> lanes -> scheduler -> model server -> pipeline server
//   -> http server
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/bench_command.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/metrics.h"
#include "http/client/model_commands.h"
#include "http/fetch/photo_fetcher.h"
#include "http/open_files.h"
#include "http/server.h"
#include "models/check_command.h"
#include "models/lane.h"
#include "models/model_definition.h"
#include "models/model_server.h"
#include "models/network.h"
#include "models/optimize/optimize_command.h"
#include "models/pipeline/pipeline_server.h"
#include "models/publish/publish_command.h"
#include "models/repository.h"
#include "scheduler/dynamic_batcher.h"
#include "scheduler/profile_saver.h"
#include "scheduler/profile_store.h"
#include "storage/open_call_log.h"

namespace xcloud {
namespace {

constexpr const char* kDefaultConfigFile = "configs/xcloud.toml";

struct ServeOptions {
  std::string config_file;  // empty = kDefaultConfigFile when it exists, else the defaults
  std::vector<std::string> overrides;
  bool check_only = false;
};

int Fail(const Status& status) {
  std::cerr << "xcloud: " << status.message() << "\n";
  return 1;
}

Result<Config> ReadConfig(const ServeOptions& options) {
  Config config;
  std::string file = options.config_file;
  if (file.empty() && std::filesystem::exists(kDefaultConfigFile)) file = kDefaultConfigFile;
  if (!file.empty()) {
    std::ifstream in(file);
    if (!in) return Status::NotFound("cannot read the configuration file '" + file + "'");
    std::ostringstream text;
    text << in.rdbuf();
    if (Status status = ApplyConfigText(text.str(), file, config); !status.ok()) return status;
  }
  for (const std::string& assignment : options.overrides) {
    if (Status status = ApplyConfigOverride(assignment, config); !status.ok()) return status;
  }
  return config;
}

// Blocks SIGINT and SIGTERM in this and every later thread, so that only WaitForSignal sees them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int WaitForSignal(const sigset_t& signals) {
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  return signal_number;
}

// Two phases: answer what was accepted, bounded by drain_timeout_ms; then cut what is left.
// Pipelines' requests end when their stages do, so they are waited for behind the scheduler.
void StopInOrder(HttpServer& http, PipelineServer& pipelines, ModelServer& models,
                 DynamicBatcher& scheduler, const Config& config, const Clock& clock) {
  http.BeginDrain();
  scheduler.BeginDrain();
  const Duration drain = std::chrono::milliseconds(config.server.drain_timeout_ms);
  const bool drained = http.WaitDrained(clock.Now() + drain);
  if (!drained) spdlog::warn("drain time is over: cutting the connections that are left");
  pipelines.BeginStop();
  models.Stop();
  scheduler.Stop();
  pipelines.Stop();
  http.Stop();
}

// A lane that hangs cannot be joined, so nothing can be torn down in order: what was logged is
// written, and the process ends.
[[noreturn]] void LeaveWithHungLanes(std::unique_ptr<CallLog> call_log) {
  spdlog::error("a lane hangs: leaving without waiting for it");
  call_log.reset();
  spdlog::shutdown();
  std::_Exit(1);
}

// What can be wrong without binding a port or loading a model: all of it at once.
int Check(const Config& config) {
  std::vector<Status> found = {CheckServerAddress(config.server), CheckFetchConfig(config.fetch),
                               CheckStorageUrl(config.storage)};
  const SystemClock clock;
  found.push_back(OpenDevices(config.devices).status());
  const auto entries = ScanRepository(config.repository.path);
  found.push_back(entries.status());
  for (std::size_t i = 0; entries.ok() && i < entries->size(); ++i) {
    const RepositoryEntry& entry = (*entries)[i];
    if (entry.state == ServiceState::kFailed)
      found.push_back(Status::InvalidArgument(entry.reason));
  }
  int wrong = 0;
  for (const Status& status : found) {
    if (!status.ok()) wrong = Fail(status);
  }
  if (wrong == 0) std::cout << "configuration is valid\n";
  return wrong;
}

// The line that tools wait for.
void Announce(const HttpServer& http) {
  std::printf("listening on http://%s:%d\n", http.address().c_str(), int{http.port()});
  std::fflush(stdout);
}

int Serve(const ServeOptions& options) {
  Result<Config> config = ReadConfig(options);
  if (!config.ok()) return Fail(config.status());
  InitLog(config->log.level);
  if (options.check_only) return Check(*config);
  FitOpenFiles(config->server);
  const sigset_t signals = BlockStopSignals();
  SystemClock clock;
  MetricsRegistry metrics;
  Result<std::unique_ptr<CallLog>> call_log = OpenCallLog(config->storage, clock, metrics);
  if (!call_log.ok()) return Fail(call_log.status());
  auto devices = OpenDevices(config->devices);
  if (!devices.ok()) return Fail(devices.status());
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<BatchExecutor*> executors;
  for (const auto& device : *devices) {
    for (std::size_t i = 0; i < device->lane_count(); ++i) {
      lanes.push_back(std::make_unique<Lane>(*device, i, lanes.size(), clock));
      executors.push_back(lanes.back().get());
    }
  }
  ProfileStore profiles(config->scheduler.profile_folder);
  DynamicBatcher scheduler(clock, metrics, executors, &profiles);
  const ProfileSaver saver(scheduler, clock,
                           std::chrono::seconds(config->scheduler.save_interval_s));
  auto models =
      ModelServer::Create(config->repository, config->decode, *devices, scheduler, clock, metrics);
  if (!models.ok()) return Fail(models.status());
  auto pipelines =
      PipelineServer::Create(config->repository, config->decode, **models, clock, metrics);
  if (!pipelines.ok()) return Fail(pipelines.status());
  HttpServer http(config->server, **pipelines, **call_log, metrics, clock, config->fetch);
  if (Status status = http.Start(); !status.ok()) return Fail(status);
  (*models)->StartLoading();
  (*pipelines)->StartLoading();
  // On a thread of its own, so that a signal while models load ends the server as well.
  std::atomic<bool> stopping{false};
  std::thread announcer([&] {
    (*models)->WaitLoaded();
    (*pipelines)->WaitLoaded();
    if (stopping.load()) return;
    if (Status ready = (*pipelines)->Ready(); !ready.ok()) spdlog::error("{}", ready.message());
    Announce(http);
  });
  const int signal_number = WaitForSignal(signals);
  spdlog::info("signal {}: draining", signal_number);
  stopping.store(true);
  StopInOrder(http, **pipelines, **models, scheduler, *config, clock);
  announcer.join();
  if (scheduler.lost() > 0) LeaveWithHungLanes(*std::move(call_log));
  return 0;
}

// Where a server listens that was started with the default configuration; the defaults when that
// cannot be read.
std::string ConfiguredServer() {
  const Result<Config> config = ReadConfig({});
  const ServerConfig server = config.ok() ? config->server : ServerConfig();
  std::string address = server.address;
  if (address == "0.0.0.0" || address == "::") address = "127.0.0.1";
  if (address.find(':') != std::string::npos) address = "[" + address + "]";
  return "http://" + address + ":" + std::to_string(server.port);
}

std::string ConfiguredRepository() {
  const Result<Config> config = ReadConfig({});
  return config.ok() ? config->repository.path : RepositoryConfig().path;
}

void AddServeCommand(CLI::App& app, ServeOptions& options, int& exit_code) {
  CLI::App* serve = app.add_subcommand("serve", "Serve the models of a repository over HTTP");
  serve->add_option("--config", options.config_file,
                    "TOML file; every key is in configs/README.md (default: " +
                        std::string(kDefaultConfigFile) + " if there is one)");
  serve->add_option("--set", options.overrides,
                    "override one key: --set server.port=0 --set device.0.lanes=2");
  serve->add_flag("--check", options.check_only,
                  "check the configuration, say what is wrong, and exit");
  serve->footer(
      "Prints 'listening on http://ADDRESS:PORT' when it is ready. SIGTERM stops it "
      "after\nthe requests it has accepted are answered.");
  serve->callback([&] { exit_code = Serve(options); });
}

}  // namespace
}  // namespace xcloud

int main(int argc, char** argv) {
  CLI::App app{
      "XCloud turns trained vision models into web APIs: POST a photo, get labels.\n"
      "First steps: 'xcloud serve', then open the address that it prints."};
  app.set_version_flag("--version", std::string("xcloud ") + XCLOUD_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  xcloud::ServeOptions serve;
  xcloud::AddServeCommand(app, serve, exit_code);
  xcloud::AddBenchCommand(app, exit_code);
  CLI::App* model = app.add_subcommand("model", "Models of a repository or of a running server");
  model->require_subcommand(1);
  xcloud::AddModelClientCommands(*model, xcloud::ConfiguredServer, exit_code);
  xcloud::AddModelCheckCommand(*model, xcloud::ConfiguredRepository, exit_code);
  xcloud::AddOptimizeCommand(*model, exit_code);
  xcloud::AddPublishCommand(app, xcloud::ConfiguredRepository, exit_code);
  app.add_subcommand("config", "Print every configuration key with default, range and effect")
      ->callback([] { std::cout << xcloud::DescribeConfig(); });
  app.add_subcommand("model-keys", "Print every key of a model.toml, likewise")->callback([] {
    std::cout << xcloud::DescribeModelToml();
  });
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
