// BenchOptions: what `xcloud bench` was asked to do, checked before anything is sent.
//
// Plain values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

struct BenchOptions {
  std::string url = "http://127.0.0.1:8080/cv/imagenet";
  bool allow_remote = false;         // load only machines that you may load
  std::vector<std::string> images;   // files or folders; empty = one made photo
  std::string body = "raw";          // "raw": the file is the body; "multipart": a form
  std::vector<std::string> headers;  // "Name: value", sent with each request
  std::string mode = "closed";       // "closed", "poisson" or "constant"
  std::int64_t clients = 8;          // closed: how many wait for an answer at a time
  double think_ms = 0;               // closed: pause between an answer and the next request
  std::vector<double> rates;         // open: requests a second, one run each
  double duration_s = 10;
  double warmup_s = 2;
  std::int64_t connections = 256;  // the most that are open at a time
  double slo_ms = 100;             // an answer within it is good
  // X-Deadline-Ms of the requests, in turn; an answer after it is not good. Empty = none is sent.
  std::vector<std::int64_t> deadlines_ms;
  double timeout_ms = 10'000;  // an answer after it is a failure
  double late_ms = 1;          // a send later than this by our own fault is "behind"
  std::uint64_t seed = 1;      // run i uses seed + i
  std::int64_t repeat = 1;
  std::int64_t server_pid = 0;  // 0 = the server's CPU time is not read
  std::string json_file;        // empty = no file
};

// InvalidArgument with one line for each wrong option: "--rate: why".
Status CheckBenchOptions(const BenchOptions& options);

struct TargetUrl {
  std::string host;       // without brackets
  std::string port;       // "80" when the URL names none
  std::string path;       // with the query; "/" when the URL has none
  std::string authority;  // for the Host header
};
// InvalidArgument says what is wrong; https is refused, since TLS would be measured with it.
Result<TargetUrl> ParseTargetUrl(std::string_view url);

// "/cv/imagenet?k=3" -> "imagenet": the model label to look for in the server's metrics.
std::string ModelOfPath(std::string_view path);

}  // namespace xcloud
