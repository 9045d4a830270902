// ServerProcess: the real binary, started on a free port with a call log of its own.
//
// Start() returns when the program has printed its "listening on" line, or with what it wrote
// when it ended before. The destructor kills what still runs. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace xcloud {

struct ProgramResult {
  int exit_code = -1;  // -1 = ended by a signal
  std::string out;
  std::string err;
};

// Runs the binary to its end: ProgramResult of `xcloud ARGS...`.
ProgramResult RunXcloud(const std::vector<std::string>& arguments);

class ServerProcess {
 public:
  ServerProcess();
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // `overrides` become --set arguments; port 0 and the call log's path are set already.
  // False when the program ended instead; error() has its stderr.
  bool Start(const std::string& repository, const std::vector<std::string>& overrides = {});

  std::uint16_t port() const { return port_; }
  const std::filesystem::path& folder() const { return folder_; }  // removed with the object
  std::filesystem::path database() const { return folder_ / "calls.db"; }
  std::string error() const;

  // Resident memory in KiB, from /proc.
  long ResidentKib() const;
  void Signal(int signal_number) const;
  // Waits for the end; -1 = ended by a signal.
  int WaitExit();

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
  int stdout_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace xcloud
