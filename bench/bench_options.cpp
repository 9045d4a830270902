#include "bench/bench_options.h"

#include <charconv>
#include <cmath>
#include <initializer_list>

#include "bench/arrivals.h"

namespace xcloud {
namespace {

class Complaints {
 public:
  void Add(std::string_view option, std::string_view why) {
    if (!text_.empty()) text_ += '\n';
    text_.append(option).append(": ").append(why);
  }
  void Range(std::string_view option, double value, double min, double max) {
    if (value >= min && value <= max) return;
    Add(option, "must be from " + Shown(min) + " to " + Shown(max) + ", not " + Shown(value));
  }
  void OneOf(std::string_view option, const std::string& value,
             std::initializer_list<std::string_view> allowed) {
    std::string list;
    for (const std::string_view word : allowed) {
      if (value == word) return;
      if (!list.empty()) list += ", ";
      list += word;
    }
    Add(option, "must be one of " + list + ", not '" + value + "'");
  }
  Status ToStatus() const { return text_.empty() ? Status::Ok() : Status::InvalidArgument(text_); }

 private:
  static std::string Shown(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  }
  std::string text_;
};

void CheckRates(const BenchOptions& options, Complaints& wrong) {
  if (options.mode == "closed") {
    if (!options.rates.empty()) {
      wrong.Add("--rate", "closed mode has no rate; use --mode poisson or --mode constant");
    }
    return;
  }
  if (options.rates.empty()) wrong.Add("--rate", "open-loop modes need at least one rate");
  for (const double rate : options.rates) {
    wrong.Range("--rate", rate, 0.01, 1e6);
    if (rate * (options.duration_s + options.warmup_s) > kMaxArrivals / 2.0) {
      wrong.Add("--rate", "rate times duration is more than five million requests");
    }
  }
  if (options.think_ms != 0) wrong.Add("--think-ms", "only closed mode thinks");
}

void CheckHeaders(const BenchOptions& options, Complaints& wrong) {
  for (const std::string& header : options.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0 ||
        header.find_first_of("\r\n") != std::string::npos) {
      wrong.Add("--header", "must look like 'Name: value' on one line");
    }
  }
}

}  // namespace

Status CheckBenchOptions(const BenchOptions& options) {
  Complaints wrong;
  if (const auto url = ParseTargetUrl(options.url); !url.ok()) {
    wrong.Add("--url", url.status().message());
  }
  wrong.OneOf("--mode", options.mode, {"closed", "poisson", "constant"});
  wrong.OneOf("--body", options.body, {"raw", "multipart"});
  wrong.Range("--connections", static_cast<double>(options.connections), 1, 60'000);
  wrong.Range("--duration-s", options.duration_s, 0.01, 86'400);
  wrong.Range("--warmup-s", options.warmup_s, 0, 3'600);
  wrong.Range("--think-ms", options.think_ms, 0, 3'600'000);
  wrong.Range("--slo-ms", options.slo_ms, 0.001, 3'600'000);
  wrong.Range("--timeout-ms", options.timeout_ms, 1, 600'000);
  wrong.Range("--late-ms", options.late_ms, 0.01, 1'000);
  wrong.Range("--repeat", static_cast<double>(options.repeat), 1, 1'000);
  wrong.Range("--server-pid", static_cast<double>(options.server_pid), 0, 1e9);
  CheckRates(options, wrong);
  CheckHeaders(options, wrong);
  if (options.mode == "closed") {
    wrong.Range("--clients", static_cast<double>(options.clients), 1, 60'000);
    if (options.clients > options.connections) {
      wrong.Add("--clients", "each client needs a connection; raise --connections");
    }
  }
  for (const std::int64_t deadline_ms : options.deadlines_ms) {
    wrong.Range("--deadline-ms", static_cast<double>(deadline_ms), 1, 3'600'000);
    if (static_cast<double>(deadline_ms) > options.timeout_ms) {
      wrong.Add("--deadline-ms", "is longer than --timeout-ms, so its 504 would not be seen");
    }
  }
  if (options.slo_ms > options.timeout_ms) {
    wrong.Add("--slo-ms", "is longer than --timeout-ms, so nothing could miss it");
  }
  return wrong.ToStatus();
}

Result<TargetUrl> ParseTargetUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://")) {
    return Status::InvalidArgument("https is not offered: point at the server's own http port");
  }
  if (!url.starts_with(kScheme)) {
    return Status::InvalidArgument(
        "must start with http://, like http://127.0.0.1:8080/cv/imagenet");
  }
  if (url.find_first_of(" \t\r\n#") != std::string_view::npos) {
    return Status::InvalidArgument("must not hold blanks, line breaks or a fragment");
  }
  url.remove_prefix(kScheme.size());
  TargetUrl out;
  out.authority = std::string(url.substr(0, url.find_first_of("/?")));
  const std::string_view path = url.substr(out.authority.size());
  if (!path.starts_with('/')) out.path += '/';
  out.path += path;
  if (out.authority.find('@') != std::string::npos) {
    return Status::InvalidArgument("must not hold a user name; use --header for keys");
  }
  std::string_view rest = out.authority;
  const bool bracketed = rest.starts_with('[');
  const std::size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && host_end == std::string_view::npos) {
    return Status::InvalidArgument("has '[' without ']'");
  }
  out.host = std::string(bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end));
  rest.remove_prefix(std::min(rest.size(), bracketed ? host_end + 1 : out.host.size()));
  out.port = "80";
  if (!rest.empty()) {
    const std::string_view digits = rest.substr(1);
    int port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (rest.front() != ':' || error != std::errc() || end != digits.data() + digits.size() ||
        port < 1 || port > 65'535) {
      return Status::InvalidArgument("has a port that is not from 1 to 65535");
    }
    out.port = std::string(digits);
  }
  if (out.host.empty()) return Status::InvalidArgument("names no host");
  return out;
}

std::string ModelOfPath(std::string_view path) {
  path = path.substr(0, path.find('?'));
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.find_last_of('/') + 1));
}

}  // namespace xcloud
