#include "tests/support/server_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

extern char** environ;

namespace xcloud {
namespace {

namespace fs = std::filesystem;

const char* const kBinary = XCLOUD_BINARY_DIR "/xcloud";

fs::path MakeTemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "xcloud-test-XXXXXX").string();
  return fs::path(mkdtemp(pattern.data()));
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Starts the binary in the source folder with stdout on `out` and stderr in a file.
pid_t Spawn(const std::vector<std::string>& arguments, int out, const fs::path& error_file) {
  std::vector<char*> argv = {const_cast<char*>(kBinary)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_file.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addchdir_np(&actions, XCLOUD_SOURCE_DIR);
  pid_t pid = -1;
  if (posix_spawn(&pid, kBinary, &actions, nullptr, argv.data(), environ) != 0) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int ExitCode(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Up to and including the line that starts with `prefix`, or everything.
std::string ReadUntilLine(int fd, const std::string& prefix) {
  std::string text;
  char c = 0;
  while (read(fd, &c, 1) == 1) {
    text += c;
    const std::size_t start = text.rfind('\n', text.size() - 2);
    const std::size_t line = start == std::string::npos ? 0 : start + 1;
    if (c == '\n' && text.compare(line, prefix.size(), prefix) == 0) break;
  }
  return text;
}

}  // namespace

ProgramResult RunXcloud(const std::vector<std::string>& arguments) {
  const fs::path folder = MakeTemporaryFolder();
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return {};
  const pid_t pid = Spawn(arguments, pipe_ends[1], folder / "stderr");
  close(pipe_ends[1]);
  ProgramResult result;
  result.out = ReadUntilLine(pipe_ends[0], "\n never");
  close(pipe_ends[0]);
  if (pid > 0) result.exit_code = ExitCode(pid);
  result.err = ReadFile(folder / "stderr");
  fs::remove_all(folder);
  return result;
}

ServerProcess::ServerProcess() : folder_(MakeTemporaryFolder()) {}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    WaitExit();
  }
  if (stdout_ >= 0) close(stdout_);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool ServerProcess::Start(const std::string& repository,
                          const std::vector<std::string>& overrides) {
  std::vector<std::string> arguments = {"serve",
                                        "--set",
                                        "server.port=0",
                                        "--set",
                                        "repository.path=" + repository,
                                        "--set",
                                        "storage.url=sqlite:" + database().string()};
  for (const std::string& assignment : overrides) {
    arguments.push_back("--set");
    arguments.push_back(assignment);
  }
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return false;
  pid_ = Spawn(arguments, pipe_ends[1], folder_ / "stderr");
  close(pipe_ends[1]);
  if (stdout_ >= 0) close(stdout_);
  stdout_ = pipe_ends[0];
  if (pid_ <= 0) return false;
  const std::string text = ReadUntilLine(stdout_, "listening on http://");
  const std::size_t colon = text.rfind(':');
  if (text.find("listening on http://") == std::string::npos) {
    WaitExit();
    return false;
  }
  port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1));
  return true;
}

std::string ServerProcess::error() const {
  return ReadFile(folder_ / "stderr");
}

long ServerProcess::ResidentKib() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, 6, "VmRSS:") == 0) return std::atol(line.c_str() + 6);
  }
  return -1;
}

void ServerProcess::Signal(int signal_number) const {
  kill(pid_, signal_number);
}

int ServerProcess::WaitExit() {
  const int code = ExitCode(pid_);
  pid_ = -1;
  return code;
}

}  // namespace xcloud
