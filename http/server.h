// HttpServer: the HTTP front of one process.
//
//   HttpServer http(config.server, service, call_log, metrics, clock);
//   if (Status status = http.Start(); !status.ok()) ...   // from here on it answers
//   ...
//   http.BeginDrain();                 // phase one: answer what was accepted, take nothing new
//   http.WaitDrained(clock.Now() + drain);
//   http.Stop();                       // phase two: cut what is left
//
// Threads: every method from any thread, Start once and before the others; BeginDrain and Stop are
// idempotent. Not from a signal handler: from the thread that waits for the signal.
// Invariants: each request read is answered once, in order within its connection. No io thread
// decodes, blocks or waits for the store. After Stop returns, the service and the call log are
// not called again, and a late answer of the service is dropped.
// With server.metrics_port there is a second listener, with a thread of its own, which serves GET
// /metrics alone; it starts after the first one and answers until Stop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/call_log.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/inference_service.h"
#include "core/metrics.h"
#include "core/status.h"
#include "http/fetch/fetch_seams.h"

namespace xcloud {

class LongWork;

class HttpServer {
 public:
  // Copies the configs; the others must outlive the server. Photos by URL are off by default; tests
  // give `seams` for the network that they come from.
  HttpServer(const ServerConfig& config, InferenceService& service, CallLog& call_log,
             MetricsRegistry& metrics, Clock& clock, const FetchConfig& fetch = {},
             FetchSeams seams = {});
  // Stops.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and serves. InvalidArgument (not an IP address, a bad pattern in fetch.allow) or
  // Unavailable (port taken, ...) name address, port and cause; the server is then of no further
  // use.
  Status Start();

  std::uint16_t port() const;   // after Start; the real one when the config says 0
  std::string address() const;  // as it stands in a URL: an IPv6 address has its brackets

  // What GET /readyz answers: OK when the service is ready and no drain has begun.
  Status Ready() const;

  // Not ready any more, no new connections, idle ones closed; requests in flight are answered with
  // "Connection: close".
  void BeginDrain();
  // Waits until every connection has ended. False when `until` came first.
  bool WaitDrained(TimePoint until);
  // Where JSON of many numbers is read and written. Tests keep its threads busy.
  LongWork& long_work();
  // Cuts what is left (their requests are cancelled) and joins the threads.
  void Stop();

 private:
  struct Impl;  // one listener and its threads
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether Start would understand the address; binds nothing. For `xcloud serve --check`.
Status CheckServerAddress(const ServerConfig& config);

}  // namespace xcloud
