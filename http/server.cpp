#include "http/server.h"

#include <algorithm>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "http/acceptor.h"
#include "http/fetch/photo_fetcher.h"
#include "http/io_worker.h"
#include "http/long_work.h"
#include "http/page_store.h"
#include "http/router.h"
#include "http/server_state.h"

namespace xcloud {
namespace {

// Connections over the limit that are answered 503 at one time; one more is closed unanswered.
constexpr std::size_t kMaxRefusals = 128;
constexpr std::int64_t kMaxMetricsConnections = 64;

std::size_t WorkerCount(const ServerConfig& config) {
  if (config.io_threads > 0) return static_cast<std::size_t>(config.io_threads);
  return std::max(1U, std::thread::hardware_concurrency() / 4);
}

// Of the listener on metrics_port: a scraper or two.
ServerConfig MetricsConfig(ServerConfig config) {
  config.port = config.metrics_port;
  config.io_threads = 1;
  config.max_connections = kMaxMetricsConnections;
  return config;
}

}  // namespace

struct HttpServer::Impl {
  // `labels` tell this listener's own gauges from another's.
  Impl(const ServerConfig& config, InferenceService& service, CallLog& call_log,
       MetricsRegistry& metrics, Clock& clock, std::span<const Route> routes, const Labels& labels,
       const FetchConfig& fetch_config, FetchSeams fetch_seams)
      : fetch(fetch_config),
        seams(std::move(fetch_seams)),
        router{routes},
        state{config,
              service,
              call_log,
              metrics,
              clock,
              router,
              pages,
              BodyStore(static_cast<std::uint64_t>(config.bodies_limit_bytes), metrics),
              ConnectionCount(static_cast<std::size_t>(config.max_connections),
                              static_cast<std::size_t>(config.max_connections_per_address),
                              metrics.GetGauge("xcloud_connections", "Open connections.", labels)),
              ConnectionCount(
                  kMaxRefusals, 0,
                  metrics.GetGauge("xcloud_connections_being_refused",
                                   "Connections over the limit, being told so.", labels))} {}

  const FetchConfig fetch;
  const FetchSeams seams;
  const Router router;
  const PageStore pages{WebAssets()};
  LongWork long_work;
  ServerState state;
  std::unique_ptr<PhotoFetcher> fetcher;
  std::vector<std::unique_ptr<IoWorker>> workers;
  std::unique_ptr<Acceptor> acceptor;          // after the workers: its socket is on their context
  std::unique_ptr<HttpServer> metrics_server;  // server.metrics_port's; null = none

  Mutex mutex;  // one caller at a time drains or stops
  bool stopped XC_GUARDED_BY(mutex) = false;
};

HttpServer::HttpServer(const ServerConfig& config, InferenceService& service, CallLog& call_log,
                       MetricsRegistry& metrics, Clock& clock, const FetchConfig& fetch,
                       FetchSeams seams)
    : impl_(std::make_unique<Impl>(config, service, call_log, metrics, clock, Routes(), Labels{},
                                   fetch, std::move(seams))) {
  if (!config.metrics || config.metrics_port == 0) return;
  impl_->metrics_server.reset(new HttpServer(std::make_unique<Impl>(
      MetricsConfig(config), service, call_log, metrics, clock, MetricsRoutes(),
      Labels{{"listener", "metrics"}}, FetchConfig{}, FetchSeams{})));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  Stop();
}

Status HttpServer::Start() {
  auto fetcher =
      PhotoFetcher::Create(impl_->fetch, impl_->state.metrics, impl_->state.clock, impl_->seams);
  if (!fetcher.ok()) return fetcher.status();
  impl_->fetcher = *std::move(fetcher);
  impl_->state.fetcher = impl_->fetcher.get();
  impl_->state.long_work = &impl_->long_work;
  for (std::size_t i = 0; i < WorkerCount(impl_->state.config); ++i) {
    impl_->workers.push_back(std::make_unique<IoWorker>(impl_->state, i));
  }
  impl_->acceptor = std::make_unique<Acceptor>(impl_->state, impl_->workers);
  Status status = impl_->acceptor->Listen();
  if (!status.ok()) return status;
  impl_->acceptor->Start();
  for (const auto& worker : impl_->workers) worker->Start();
  return impl_->metrics_server == nullptr ? Status::Ok() : impl_->metrics_server->Start();
}

std::uint16_t HttpServer::port() const {
  return impl_->acceptor == nullptr ? 0 : impl_->acceptor->port();
}

std::string HttpServer::address() const {
  const std::string& address = impl_->state.config.address;
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

Status HttpServer::Ready() const {
  return impl_->state.Ready();
}

LongWork& HttpServer::long_work() {
  return impl_->long_work;
}

void HttpServer::BeginDrain() {
  MutexLock lock(impl_->mutex);
  impl_->state.draining.store(true);
  if (impl_->stopped || impl_->acceptor == nullptr) return;
  impl_->acceptor->Close();
  for (const auto& worker : impl_->workers) worker->Drain();
}

bool HttpServer::WaitDrained(TimePoint until) {
  return impl_->state.connections.WaitNone(impl_->state.clock, until);
}

void HttpServer::Stop() {
  BeginDrain();
  MutexLock lock(impl_->mutex);
  if (impl_->stopped) return;
  impl_->stopped = true;
  if (impl_->fetcher != nullptr) impl_->fetcher->Stop();
  for (const auto& worker : impl_->workers) worker->Abort();
  for (const auto& worker : impl_->workers) worker->Join();
  impl_->long_work.Stop();
  // Last: a drain can be watched to its end.
  if (impl_->metrics_server != nullptr) impl_->metrics_server->Stop();
}

Status CheckServerAddress(const ServerConfig& config) {
  ErrorCode error;
  asio::ip::make_address(config.address, error);
  if (!error) return Status::Ok();
  return Status::InvalidArgument("server.address: '" + config.address + "' is not an IP address");
}

}  // namespace xcloud
