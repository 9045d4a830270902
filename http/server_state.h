// ServerState: what every connection of one server shares. WorkerState: what those of one io
// thread share besides.
//
// Thread safety: ServerState from any thread; WorkerState on its io thread only.
#pragma once

#include <atomic>
#include <memory>

#include "core/call_log.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/inference_service.h"
#include "core/metrics.h"
#include "http/body_reader.h"
#include "http/completion_port.h"
#include "http/connection_count.h"
#include "http/fetch/photo_fetcher.h"
#include "http/page_store.h"
#include "http/request_ids.h"
#include "http/request_metrics.h"
#include "http/router.h"

namespace xcloud {

class LongWork;

struct ServerState {
  const ServerConfig config;
  InferenceService& service;
  CallLog& call_log;
  MetricsRegistry& metrics;
  Clock& clock;
  const Router& router;
  const PageStore& pages;
  BodyStore bodies;  // of all connections
  ConnectionCount connections;
  ConnectionCount refusals;           // over-limit connections that are being told so
  PhotoFetcher* fetcher = nullptr;    // set before the first connection, then never null
  LongWork* long_work = nullptr;      // likewise
  std::atomic<bool> draining{false};  // set once: no new connections, answers close theirs

  // OK when a load balancer should send requests here.
  Status Ready() const {
    if (draining.load(std::memory_order_relaxed)) {
      return Status::Unavailable("the server is draining");
    }
    return service.Ready();
  }
};

struct WorkerState {
  ServerState& server;
  std::shared_ptr<CompletionPort> port;
  RandomIds ids;
  RequestMetrics metrics;
};

}  // namespace xcloud
