// LoadGenerator: sends prepared requests to one server and measures the answers.
//
// Open loop (RunOpen): request i is meant to leave at arrivals[i], whatever became of the others,
// and its latency counts from that instant. Waiting inside the generator is therefore in the
// latency, and is counted too (`held`, `late`): such a run measures the generator.
// Closed loop (RunClosed): each client sends, waits for the answer, thinks, sends again. A slow
// server slows the clients, so its latencies say nothing about a stream of independent callers.
//
// Threads: one thread, the caller's; Run* returns when every request has ended, at the latest
// `timeout` after the last intended send. Connections stay open from one run to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "bench/prepared_request.h"
#include "core/clock.h"

namespace xcloud {

struct LoadServer {
  std::string address;  // numeric
  std::uint16_t port = 0;
};

struct LoadLimits {
  std::size_t max_connections = 256;
  Duration timeout = std::chrono::seconds(10);    // from the intended send
  Duration slo = std::chrono::milliseconds(100);  // an answer within it is good
  Duration late = std::chrono::milliseconds(1);   // a timer later than this is `late`
};

struct ClosedLoop {
  std::size_t clients = 1;  // REQUIRES: <= max_connections
  Duration think{};
  Duration length = std::chrono::seconds(10);  // no request starts after it
};

struct LoadResult {
  std::uint64_t offered = 0;     // requests that were meant to be sent
  std::uint64_t ok = 0;          // answered with 2xx
  std::uint64_t within_slo = 0;  // of those, in time: within the SLO and their own deadline
  // The rest, by kind: "http 503", "timeout", "unsent" (no connection came free in time),
  // "connect: <why>", "broken: <why>". offered = ok + all of these.
  std::map<std::string, std::uint64_t> failures;
  LatencyHistogram latency;   // of `ok`
  LatencyHistogram send_lag;  // actual minus intended send, of all that were sent
  // By status other than 2xx: from the actual send, so the server's own time.
  std::map<int, LatencyHistogram> refusal_latency;
  // 504 answers of requests with a deadline: how long after it, counted from the actual send.
  LatencyHistogram expiry_lateness;
  std::uint64_t expired_early = 0;  // 504 answers that came before it: it could not be met
  std::uint64_t held = 0;           // had to wait because all allowed connections were busy
  std::uint64_t late = 0;           // the generator woke later than `late` after the intended send
  std::uint64_t behind = 0;         // either of the two
  std::uint64_t connections_opened = 0;
  std::size_t peak_connections = 0;
  Duration length{};   // of the plan
  Duration elapsed{};  // from the start to the last answer

  double behind_share() const;    // of offered
  double offered_per_s() const;   // over length
  double achieved_per_s() const;  // ok, over the longer of length and elapsed
  double goodput_per_s() const;   // within_slo, over length
  double goodput_share() const;   // within_slo, of offered
  std::uint64_t refused() const;  // 429 and 503: turned away in favour of others
  std::uint64_t admitted() const { return offered - refused(); }
  double admitted_share() const;  // within_slo, of admitted
};

struct LoadProgress {
  Duration elapsed{};
  Duration length{};
  std::uint64_t ended = 0;
  std::uint64_t failed = 0;
};

// Called on the generator's thread; may be empty.
struct LoadHooks {
  std::function<void(const LoadProgress&)> on_progress;  // about once a second
  std::function<void(std::uint64_t offered)> on_due;     // after each request fell due
};

class LoadGenerator {
 public:
  // REQUIRES: requests not empty; they are sent in turn, from the first at each run.
  LoadGenerator(const LoadServer& server, std::vector<PreparedRequest> requests,
                const LoadLimits& limits, LoadHooks hooks = {});
  ~LoadGenerator();

  // REQUIRES: arrivals rise and lie below length.
  LoadResult RunOpen(const std::vector<Duration>& arrivals, Duration length);
  LoadResult RunClosed(const ClosedLoop& plan);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xcloud
