// Config: every knob of the server, with its default. Read once at start, then never changed.
//
// The options' units, ranges, effects and dangers are declared beside the defaults in config.cpp
// and listed for people in configs/README.md; a test keeps the two equal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "core/result.h"

namespace xcloud {

struct ServerConfig {
  std::string address = "127.0.0.1";
  std::int64_t port = 8080;
  std::int64_t io_threads = 0;
  std::int64_t max_connections = 16'384;
  std::int64_t max_connections_per_address = 1024;
  std::int64_t header_limit_bytes = 16'384;
  std::int64_t body_limit_bytes = 10'240'000;
  std::int64_t v2_body_limit_bytes = 67'108'864;
  std::int64_t v2_json_limit_bytes = 16'777'216;
  std::int64_t bodies_limit_bytes = 1LL << 30;
  std::int64_t header_timeout_ms = 5'000;
  std::int64_t body_timeout_ms = 10'000;
  std::int64_t body_min_bytes_per_s = 1024;
  std::int64_t idle_timeout_ms = 65'000;
  std::int64_t write_timeout_ms = 15'000;
  std::int64_t answer_timeout_ms = 30'000;
  std::int64_t drain_timeout_ms = 10'000;
  std::string admin = "loopback";
  bool metrics = true;
  std::int64_t metrics_port = 0;
};

// Photos that callers name by a URL (imgurl). The server fetches them, so it is told from where.
struct FetchConfig {
  std::vector<std::string> allow;  // empty = the feature is off
  std::int64_t max_bytes = 10'240'000;
  std::int64_t timeout_ms = 5'000;
  std::int64_t connect_timeout_ms = 2'000;
  std::int64_t max_redirects = 0;
  std::int64_t connections_per_host = 4;
  std::int64_t max_fetches = 64;
  std::int64_t queue_capacity = 256;
  std::int64_t resolve_threads = 4;
};

struct DecodeConfig {
  std::int64_t threads = 0;
  std::int64_t queue_capacity = 256;
  std::int64_t max_pixels = 50'000'000;
  std::int64_t max_side = 16'384;
};

struct RepositoryConfig {
  std::string path = "configs/models";
  std::string control = "both";
  double poll_interval_s = 5;
  std::int64_t memory_limit_mb = 0;
};

struct StorageConfig {
  std::string url = "sqlite:var/xcloud.db";
  std::int64_t queue_capacity = 65'536;
  std::int64_t commit_rows = 512;
  std::int64_t commit_interval_ms = 50;
};

struct SchedulerConfig {
  std::string profile_folder = "var/profiles";
  std::int64_t save_interval_s = 30;
};

struct LogConfig {
  std::string level = "info";
};

// One [[device]]. Without any, the server makes one: CUDA device 0 where there is one, else CPU.
struct DeviceConfig {
  std::string kind = "cpu";
  std::string name;  // empty = kind and position: "cpu0"
  std::int64_t index = 0;
  std::int64_t lanes = 1;
  std::int64_t threads = 0;
  std::string precision = "fp32";
  std::int64_t staged_batches = 2;
  std::string resize = "cpu";
  std::int64_t hang_timeout_ms = 10'000;
};

struct Config {
  ServerConfig server;
  FetchConfig fetch;
  DecodeConfig decode;
  RepositoryConfig repository;
  SchedulerConfig scheduler;
  StorageConfig storage;
  LogConfig log;
  std::vector<DeviceConfig> devices;
};

// Each names the keys of its section once: default, range, effect, danger.
void VisitServer(OptionVisitor& v, ServerConfig& c);
void VisitFetch(OptionVisitor& v, FetchConfig& c);
void VisitDecode(OptionVisitor& v, DecodeConfig& c);
void VisitRepository(OptionVisitor& v, RepositoryConfig& c);
void VisitScheduler(OptionVisitor& v, SchedulerConfig& c);
void VisitStorage(OptionVisitor& v, StorageConfig& c);
void VisitLog(OptionVisitor& v, LogConfig& c);
void VisitDevice(OptionVisitor& v, DeviceConfig& c);

// Applies a TOML text over `config`. InvalidArgument lists every wrong line, one a line, each
// "file:line: section.key: why". `file` is only a name for messages.
Status ApplyConfigText(std::string_view text, std::string_view file, Config& config);

// Applies one `--set section.key=value`. The value is TOML; text may lack its quotes. A device is
// reached by position: device.0.lanes=2 (0 to the number of devices; that one is added).
Status ApplyConfigOverride(std::string_view assignment, Config& config);

// The options as a Markdown table, section by section: what configs/README.md holds and what
// `xcloud config` prints.
std::string DescribeConfig();

}  // namespace xcloud
