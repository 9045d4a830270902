#include "core/config.h"

#include <charconv>
#include <limits>

#include "core/option_table.h"
#include "core/toml_reader.h"

namespace xcloud {
namespace {

constexpr std::int64_t kMaxThreads = 1024;
constexpr std::int64_t kHour = 3'600'000;  // ms
constexpr std::int64_t kGiB = 1LL << 30;

void ApplyDeviceAt(const toml::table& by_position, const std::string& file, Config& config,
                   std::vector<std::string>& errors) {
  for (const auto& [key, node] : by_position) {
    const std::string_view text = key.str();
    std::size_t position = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), position);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
        position > config.devices.size() || !node.is_table()) {
      errors.push_back(file + ": device." + std::string(text) +
                       ": must name a device by position, 0 to " +
                       std::to_string(config.devices.size()) + ", then its key");
      continue;
    }
    if (position == config.devices.size()) config.devices.emplace_back();
    TomlReader reader(*node.as_table(), file, "device." + std::string(text), errors);
    VisitDevice(reader, config.devices[position]);
    reader.Finish();
  }
}

void ApplyDeviceList(const toml::array& list, const std::string& file, Config& config,
                     std::vector<std::string>& errors) {
  config.devices.clear();
  for (const toml::node& node : list) {
    const std::string section = "device." + std::to_string(config.devices.size());
    if (!node.is_table()) {
      errors.push_back(file + ": " + section + ": must be a section, [[device]]");
      continue;
    }
    DeviceConfig device;
    TomlReader reader(*node.as_table(), file, section, errors);
    VisitDevice(reader, device);
    reader.Finish();
    config.devices.push_back(device);
  }
}

template <class Knobs>
void ApplySection(TomlReader& root, std::string_view name, const std::string& file,
                  void (*visit)(OptionVisitor&, Knobs&), Knobs& knobs,
                  std::vector<std::string>& errors) {
  const toml::table* table = root.Section(name);
  if (table == nullptr) return;
  TomlReader reader(*table, file, std::string(name), errors);
  visit(reader, knobs);
  reader.Finish();
}

Status ApplyTable(const toml::table& table, const std::string& file, Config& config) {
  std::vector<std::string> errors;
  Config updated = config;
  TomlReader root(table, file, "", errors);
  ApplySection(root, "server", file, VisitServer, updated.server, errors);
  ApplySection(root, "fetch", file, VisitFetch, updated.fetch, errors);
  ApplySection(root, "decode", file, VisitDecode, updated.decode, errors);
  ApplySection(root, "repository", file, VisitRepository, updated.repository, errors);
  ApplySection(root, "scheduler", file, VisitScheduler, updated.scheduler, errors);
  ApplySection(root, "storage", file, VisitStorage, updated.storage, errors);
  ApplySection(root, "log", file, VisitLog, updated.log, errors);
  if (const toml::node* device = table.get("device"); device != nullptr && device->is_array()) {
    ApplyDeviceList(*device->as_array(), file, updated, errors);
    root.MarkKnown("device");
  } else if (const toml::table* by_position = root.Section("device")) {
    ApplyDeviceAt(*by_position, file, updated, errors);
  }
  root.Finish();
  if (errors.empty()) {
    config = updated;
    return Status::Ok();
  }
  std::string all;
  for (const std::string& error : errors) all += (all.empty() ? "" : "\n") + error;
  return Status::InvalidArgument(all);
}

}  // namespace

void VisitServer(OptionVisitor& v, ServerConfig& c) {
  v.Text({"address", "IP address to listen on", "anything but loopback is open to the network"},
         c.address, {});
  v.Integer({"port", "TCP port; 0 = any free one, printed when ready", ""}, c.port, 0, 65'535);
  v.Integer({"io_threads",
             "threads that read and write sockets; 0 = a quarter of the cores, "
             "at least 1",
             "more than the cores adds switches and tail"},
            c.io_threads, 0, kMaxThreads);
  v.Integer({"max_connections", "open connections; one more is answered 503 and closed",
             "lowered at start, with a warning, to what the limit of open files leaves room for"},
            c.max_connections, 1, 1'000'000);
  v.Integer({"max_connections_per_address",
             "of them from one IPv4 address or one IPv6 /64, this machine's own too; one more is "
             "answered 429 and closed; 0 = no bound",
             "behind a proxy every connection comes from the proxy: use 0 there and bound "
             "addresses in the proxy"},
            c.max_connections_per_address, 0, 1'000'000);
  v.Integer({"header_limit_bytes", "request line and headers; more is 431", ""},
            c.header_limit_bytes, 512, 1 << 20);
  v.Integer({"body_limit_bytes", "request body; more is 413 before it is read", ""},
            c.body_limit_bytes, 1024, kGiB);
  v.Integer({"v2_body_limit_bytes",
             "likewise of the Open Inference Protocol, whose tensors are larger than photos; also "
             "of the tensors that one request makes of JSON",
             ""},
            c.v2_body_limit_bytes, 1024, kGiB);
  v.Integer({"v2_json_limit_bytes", "JSON in it, before any binary tensors; more is 413",
             "25 ms a MB of short numbers, on one of two threads"},
            c.v2_json_limit_bytes, 1024, kGiB);
  v.Integer(
      {"bodies_limit_bytes", "bodies of all connections together; more is 503 with Retry-After",
       "too high lets clients fill the memory"},
      c.bodies_limit_bytes, 1024, 1024 * kGiB);
  v.Integer({"header_timeout_ms", "from a request's first byte to the end of its header", ""},
            c.header_timeout_ms, 10, kHour);
  v.Integer({"body_timeout_ms",
             "from the end of the header to the end of the body; what comes faster than "
             "body_min_bytes_per_s may take longer",
             "too short refuses phones on slow networks"},
            c.body_timeout_ms, 10, kHour);
  v.Integer({"body_min_bytes_per_s",
             "each so many bytes of a body that come give it a second on top of body_timeout_ms; "
             "0 = none: body_timeout_ms is the end",
             "too low lets clients drip bodies for hours"},
            c.body_min_bytes_per_s, 0, kGiB);
  v.Integer({"idle_timeout_ms", "a kept-alive connection without a request", ""}, c.idle_timeout_ms,
            10, kHour);
  v.Integer({"write_timeout_ms", "to write one answer", ""}, c.write_timeout_ms, 10, kHour);
  v.Integer({"answer_timeout_ms",
             "from the body's end to the answer, for services without a "
             "latency goal; later is 504",
             ""},
            c.answer_timeout_ms, 10, kHour);
  v.Integer({"drain_timeout_ms", "at SIGTERM: how long accepted requests may still finish",
             "too short drops answers at each restart"},
            c.drain_timeout_ms, 0, kHour);
  v.Text({"admin",
          "who may use /admin: loopback = callers on this machine that no proxy forwards, any, off",
          "any lets whoever reaches the port change and unload models; so does loopback behind a "
          "proxy here that sends no X-Forwarded-For: use off there"},
         c.admin, {"loopback", "any", "off"});
  v.Flag({"metrics", "GET /metrics, for Prometheus, on `port`", "names models and their traffic"},
         c.metrics);
  v.Integer({"metrics_port",
             "GET /metrics, and nothing else, on a port of its own as well; 0 = none. It has a "
             "thread of its own, and answers while `port` drains",
             ""},
            c.metrics_port, 0, 65'535);
}

void VisitFetch(OptionVisitor& v, FetchConfig& c) {
  v.Texts({"allow",
           "hosts that photos named by imgurl may come from: `img.example.org`, "
           "`*.example.org` = each name below it, `*` = any; ports are 80 and 443, or the one "
           "that follows a host, `img.example.org:8080`; empty = imgurl is off",
           "with `*` callers choose whom the server speaks to; private, loopback, link-local and "
           "reserved addresses are refused whatever stands here"},
          c.allow);
  v.Integer({"max_bytes", "one photo; more is 413, before it is read where its length is declared",
             "max_fetches photos of this size may be in memory"},
            c.max_bytes, 1024, kGiB);
  v.Integer({"timeout_ms",
             "one photo, waiting and looking up the host included; a request's own deadline counts "
             "where it is earlier; later is 504",
             ""},
            c.timeout_ms, 10, kHour);
  v.Integer({"connect_timeout_ms",
             "to connect, all addresses of the host and TLS included; part of timeout_ms", ""},
            c.connect_timeout_ms, 10, kHour);
  v.Integer({"max_redirects",
             "redirects followed for one photo, each checked like a new URL; 0 = none", ""},
            c.max_redirects, 0, 10);
  v.Integer({"connections_per_host", "fetches from one host at a time; others wait",
             "too many look like an attack to the host"},
            c.connections_per_host, 1, 1024);
  v.Integer({"max_fetches", "fetches at a time, all hosts together; others wait", ""},
            c.max_fetches, 1, 4096);
  v.Integer({"queue_capacity", "fetches that wait; one more is 429", ""}, c.queue_capacity, 1,
            1'000'000);
  v.Integer({"resolve_threads", "threads that look hosts up, each one host at a time",
             "too few let a slow name server hold up every fetch"},
            c.resolve_threads, 1, 64);
}

void VisitDecode(OptionVisitor& v, DecodeConfig& c) {
  v.Integer({"threads", "threads that decode and resize photos; 0 = half the cores, at least 1",
             "they compete with CPU lanes"},
            c.threads, 0, kMaxThreads);
  v.Integer({"queue_capacity", "photos waiting for a decode thread; one more is 429",
             "each holds its encoded bytes"},
            c.queue_capacity, 1, 1'000'000);
  v.Integer({"max_pixels", "width x height, from the image header; more is 413 before decoding",
             "decoding takes 6 to 12 bytes a pixel on each thread"},
            c.max_pixels, 1024, 1'000'000'000);
  v.Integer({"max_side", "pixels of the longer side, likewise", ""}, c.max_side, 32, 65'500);
}

void VisitRepository(OptionVisitor& v, RepositoryConfig& c) {
  v.Text({"path", "folder of models: NAME/model.toml, NAME/labels.txt, NAME/VERSION/weights", ""},
         c.path, {});
  v.Text({"control",
          "what changes the models that are served: explicit = an operator's load and unload "
          "(/admin, /v2/repository, `xcloud model`), poll = the folder alone, both",
          "with poll, whoever writes to the folder changes what is served"},
         c.control, {"explicit", "poll", "both"});
  v.Number({"poll_interval_s",
            "how often the folder is looked at; a change counts when two looks in a row saw the "
            "same files, so that what is being copied is not loaded",
            "shorter than a copy may stall loads half of it, which fails; what serves goes on"},
           c.poll_interval_s, 0.1, 86'400);
  v.Integer({"memory_limit_mb",
             "memory that the process may come to by loading a model, as estimated; 0 = what the "
             "machine and its cgroup have",
             "the estimate is rough: models/memory_estimate.h"},
            c.memory_limit_mb, 0, 1 << 30);
}

void VisitScheduler(OptionVisitor& v, SchedulerConfig& c) {
  v.Text({"profile_folder",
          "where learned batch times are kept between runs, one file a model and version; "
          "empty = not kept",
          "two servers need two folders"},
         c.profile_folder, {});
  v.Integer({"save_interval_s",
             "how often learned batch times are written; 0 = only when a model is unloaded and "
             "when the server stops",
             ""},
            c.save_interval_s, 0, 86'400);
}

void VisitStorage(OptionVisitor& v, StorageConfig& c) {
  v.Text({"url", "where the call log lives: sqlite:PATH", "a full disk stops the log"}, c.url, {});
  v.Integer({"queue_capacity", "rows waiting to be committed; one more is dropped and counted",
             "about 400 bytes a row"},
            c.queue_capacity, 1, 10'000'000);
  v.Integer({"commit_rows", "rows in one transaction at the most", ""}, c.commit_rows, 1, 100'000);
  v.Integer({"commit_interval_ms", "how long a row may wait for others to share its commit",
             "rows that wait are lost when the process is killed"},
            c.commit_interval_ms, 0, 60'000);
}

void VisitLog(OptionVisitor& v, LogConfig& c) {
  v.Text({"level", "least serious line written to stderr", ""}, c.level,
         {"debug", "info", "warn", "error"});
}

void VisitDevice(OptionVisitor& v, DeviceConfig& c) {
  v.Text({"kind", "what runs the networks", ""}, c.kind, {"cpu", "cuda"});
  v.Text({"name", "name in metrics and answers; empty = kind and position (cpu0)", ""}, c.name, {});
  v.Integer({"index", "which CUDA device; two [[device]] may name the same one", ""}, c.index, 0,
            64);
  v.Integer({"lanes", "batches in flight on this device", "CPU lanes share the cores"}, c.lanes, 1,
            64);
  v.Integer({"threads", "CPU threads of one lane; 0 = cores shared out over all CPU lanes",
             "lanes x threads over the cores slows all"},
            c.threads, 0, kMaxThreads);
  v.Text({"precision", "of the network on CUDA; CPU lanes run fp32",
          "fp16 moves probabilities by about 0.001"},
         c.precision, {"fp32", "fp16"});
  v.Integer({"staged_batches",
             "batches that a CUDA lane holds: 2 = one is carried over while the other runs; CPU "
             "lanes hold one",
             "each has pinned memory of its own"},
            c.staged_batches, 1, 2);
  v.Text({"resize",
          "who resizes and crops photos: cpu = the decode threads; gpu = the CUDA lanes, for all "
          "devices or none",
          "gpu is not proved on a GPU yet; it sends whole photos over, 1.5 MiB each at the most"},
         c.resize, {"cpu", "gpu"});
  v.Integer({"hang_timeout_ms",
             "a batch that runs longer hangs: its photos run elsewhere and the device is "
             "quarantined; 0 = never",
             "shorter than an honest batch takes a good device out"},
            c.hang_timeout_ms, 0, kHour);
}

Status ApplyConfigText(std::string_view text, std::string_view file, Config& config) {
  Result<toml::table> table = ParseToml(text, file);
  if (!table.ok()) return table.status();
  return ApplyTable(*table, std::string(file), config);
}

Status ApplyConfigOverride(std::string_view assignment, Config& config) {
  const std::string name = "--set " + std::string(assignment);
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Status::InvalidArgument(name + ": must be section.key=value");
  }
  Result<toml::table> table = ParseToml(assignment, name);
  if (!table.ok()) {  // most likely text without quotes
    const std::string quoted = std::string(assignment.substr(0, equals + 1)) + "'''" +
                               std::string(assignment.substr(equals + 1)) + "'''";
    table = ParseToml(quoted, name);
  }
  if (!table.ok()) return table.status();
  return ApplyTable(*table, name, config);
}

std::string DescribeConfig() {
  std::string out;
  AppendOptionTable(out, "[server]", VisitServer);
  AppendOptionTable(out, "[fetch]", VisitFetch);
  AppendOptionTable(out, "[decode]", VisitDecode);
  AppendOptionTable(out, "[repository]", VisitRepository);
  AppendOptionTable(out, "[scheduler]", VisitScheduler);
  AppendOptionTable(out, "[storage]", VisitStorage);
  AppendOptionTable(out, "[log]", VisitLog);
  AppendOptionTable(out, "[[device]]", VisitDevice);
  return out;
}

}  // namespace xcloud
