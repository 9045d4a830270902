#include "http/acceptor.h"

#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "core/log.h"
#include "http/server.h"

namespace xcloud {
namespace {

// When the process is out of file descriptors or buffers, accepting at once would only spin.
constexpr auto kPauseAfterFailure = std::chrono::milliseconds(20);

Counter& RefusedCounter(MetricsRegistry& metrics, const char* reason) {
  return metrics.GetCounter("xcloud_connections_refused_total",
                            "Connections refused because too many were open: in all (total) or "
                            "from their address (address).",
                            {{"reason", reason}});
}

}  // namespace

Acceptor::Acceptor(ServerState& server, const std::vector<std::unique_ptr<IoWorker>>& workers)
    : server_(server),
      workers_(workers),
      acceptor_(workers.front()->context().get_executor()),
      pause_(workers.front()->context().get_executor()),
      refused_total_(RefusedCounter(server.metrics, "total")),
      refused_address_(RefusedCounter(server.metrics, "address")),
      failures_(server.metrics.GetCounter(
          "xcloud_accept_failures_total",
          "Failures to accept a connection, mostly for want of file descriptors.")) {}

Status Acceptor::Listen() {
  const std::string& address = server_.config.address;
  if (Status status = CheckServerAddress(server_.config); !status.ok()) return status;
  ErrorCode error;
  const auto ip = asio::ip::make_address(address, error);
  const asio::ip::tcp::endpoint endpoint(ip, static_cast<std::uint16_t>(server_.config.port));
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  if (!error) return Status::Ok();
  ErrorCode ignored;
  acceptor_.close(ignored);
  return Status::Unavailable("cannot listen on " + address + ":" +
                             std::to_string(server_.config.port) + ": " + error.message());
}

void Acceptor::Start() {
  asio::co_spawn(acceptor_.get_executor(), AcceptLoop(), [](const std::exception_ptr& thrown) {
    if (thrown != nullptr) spdlog::error("accepting connections ended by an exception");
  });
}

void Acceptor::Close() {
  asio::post(acceptor_.get_executor(), [this] {
    ErrorCode ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  });
}

Task<void> Acceptor::AcceptLoop() {
  for (std::size_t next = 0; acceptor_.is_open(); next = (next + 1) % workers_.size()) {
    IoWorker& worker = *workers_[next];
    ErrorCode error;
    asio::ip::tcp::endpoint peer;
    Socket socket = co_await acceptor_.async_accept(worker.context(), peer,
                                                    asio::redirect_error(kUseTask, error));
    if (!error) {
      failing_ = false;
      HandOver(std::move(socket), AddressKeyOf(peer.address()), worker);
    } else if (acceptor_.is_open() && error != asio::error::connection_aborted) {
      NoteFailure(error);
      pause_.expires_after(kPauseAfterFailure);
      co_await pause_.async_wait(asio::redirect_error(kUseTask, error));
    }
  }
}

void Acceptor::NoteFailure(const ErrorCode& error) {
  failures_.Add();
  if (std::exchange(failing_, true)) return;
  spdlog::warn("cannot accept connections: {}; trying on", error.message());
}

void Acceptor::HandOver(Socket socket, AddressKey address, IoWorker& worker) {
  const Admission admission = server_.connections.TryAdd(address);
  if (admission == Admission::kAdmitted) {
    worker.Adopt(std::move(socket), ConnectionSlot(server_.connections, address), admission);
    return;
  }
  (admission == Admission::kAddressFull ? refused_address_ : refused_total_).Add();
  if (server_.refusals.TryAdd(address) != Admission::kAdmitted) return;
  worker.Adopt(std::move(socket), ConnectionSlot(server_.refusals, address), admission);
}

}  // namespace xcloud
