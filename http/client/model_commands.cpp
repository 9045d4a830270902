#include "http/client/model_commands.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

#include "core/clock.h"
#include "core/mutex.h"
#include "http/client/model_client.h"

namespace xcloud {
namespace {

constexpr int kRefused = 1;
constexpr int kUnreachable = 2;

struct Options {
  std::function<std::string()> default_server;
  std::string server;
  std::string name;

  std::string Server() const {
    std::string url = server.empty() ? default_server() : server;
    while (!url.empty() && url.back() == '/') url.pop_back();
    return url.find("://") == std::string::npos ? "http://" + url : url;
  }
};

int Fail(const Status& status) {
  std::fprintf(stderr, "xcloud model: %s\n", status.message().c_str());
  return status.code() == StatusCode::kUnavailable ? kUnreachable : kRefused;
}

// Says each second how long it takes, on a terminal in one line, else in a line every ten seconds;
// and each version that becomes ready meanwhile.
class Progress {
 public:
  Progress(std::string what, const ModelClient& client, std::string name)
      : what_(std::move(what)),
        client_(client),
        name_(std::move(name)),
        terminal_(isatty(STDERR_FILENO) == 1) {}

  Status Wait(const std::function<Status()>& work) {
    Status ended;
    std::thread worker([&] {
      Status status = work();
      MutexLock lock(mutex_);
      ended = std::move(status);
      done_ = true;
      changed_.NotifyAll();
    });
    for (int seconds = 1; !DoneAfterASecond(); ++seconds) Show(seconds);
    worker.join();
    if (terminal_ && shown_) std::fputs("\r\033[K", stderr);
    return ended;
  }

 private:
  bool DoneAfterASecond() {
    const TimePoint until = clock_.Now() + std::chrono::seconds(1);
    MutexLock lock(mutex_);
    while (!done_) {
      if (!clock_.WaitUntil(changed_, mutex_, until)) break;
    }
    return done_;
  }
  void Show(int seconds) {
    if (!terminal_ && seconds % 10 != 0) return;
    shown_ = true;
    std::string loading;
    if (const auto models = client_.List(); models.ok()) {
      for (const ListedModel& model : *models) {
        if (model.name == name_ && model.state == "LOADING") loading += " version " + model.version;
      }
    }
    std::fprintf(stderr, terminal_ ? "\r\033[K%s %s:%s %d s" : "%s %s:%s %d s\n", what_.c_str(),
                 name_.c_str(), loading.c_str(), seconds);
    std::fflush(stderr);
  }

  const std::string what_;
  const ModelClient& client_;
  const std::string name_;
  const bool terminal_;
  bool shown_ = false;
  SystemClock clock_;
  Mutex mutex_;
  CondVar changed_;
  bool done_ XC_GUARDED_BY(mutex_) = false;
};

int List(const Options& options) {
  const ModelClient client(options.Server());
  const auto models = client.List();
  if (!models.ok()) return Fail(models.status());
  std::fputs(ModelTable(*models).c_str(), stdout);
  return 0;
}

void ShowModel(const ModelClient& client, const std::string& name) {
  const auto models = client.List();
  if (!models.ok()) return;
  std::vector<ListedModel> own;
  for (const ListedModel& model : *models) {
    if (model.name == name) own.push_back(model);
  }
  std::fputs(ModelTable(own).c_str(), stdout);
}

int Load(const Options& options) {
  const ModelClient client(options.Server());
  Progress progress("loading", client, options.name);
  const Status status = progress.Wait([&] { return client.Load(options.name); });
  if (!status.ok()) {
    const int code = Fail(status);
    if (code == kRefused) ShowModel(client, options.name);
    return code;
  }
  ShowModel(client, options.name);
  return 0;
}

int Unload(const Options& options) {
  const ModelClient client(options.Server());
  Progress progress("unloading", client, options.name);
  const Status status = progress.Wait([&] { return client.Unload(options.name); });
  if (!status.ok()) return Fail(status);
  std::printf("%s is unloaded\n", options.name.c_str());
  return 0;
}

}  // namespace

void AddModelClientCommands(CLI::App& group, std::function<std::string()> default_server,
                            int& exit_code) {
  auto options = std::make_shared<Options>();
  options->default_server = std::move(default_server);
  const auto add = [&](const char* name, const char* about, int (*run)(const Options&)) {
    CLI::App* command = group.add_subcommand(name, about);
    command->add_option("--server", options->server,
                        "URL of the server; default: [server] address and port of the "
                        "configuration, http://127.0.0.1:8080");
    command->footer("Exit code: 0 done, 1 the server refused or it failed, 2 no server there.");
    command->callback([options, run, &exit_code] { exit_code = run(*options); });
    return command;
  };
  add("list", "What a running server serves: a row a version, with state and reason", List);
  CLI::App* load = add("load",
                       "Has a running server read a model's folder again and load the versions "
                       "that it says.\nWhat serves goes on until the new is warm, and when it "
                       "fails: then the reason is told.\n\nExamples:\n"
                       "  xcloud model load imagenet\n"
                       "  xcloud model load imagenet --server http://127.0.0.1:9000",
                       Load);
  load->add_option("name", options->name, "The model: its folder's name")->required();
  CLI::App* unload = add("unload",
                         "Has a running server take a model out, once what it has accepted is "
                         "answered,\nand give its memory back. It stays out until it is loaded.",
                         Unload);
  unload->add_option("name", options->name, "The model: its folder's name")->required();
}

}  // namespace xcloud
