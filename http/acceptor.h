// Acceptor: the listening socket. Hands what it accepts round-robin to the io threads: with few
// long-lived connections that is even, where SO_REUSEPORT would hash them unevenly. Connections
// over max_connections or max_connections_per_address are told so, and counted.
//
// Out of file descriptors it waits a while before it tries again, however many clients wait, and
// says so in the log once, until it has accepted one.
//
// Threads: Listen and Start before the io threads run or from outside; Close from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/status.h"
#include "http/asio_types.h"
#include "http/io_worker.h"
#include "http/server_state.h"

namespace xcloud {

class Acceptor {
 public:
  // Runs on the first worker. `workers` is not empty and outlives this.
  Acceptor(ServerState& server, const std::vector<std::unique_ptr<IoWorker>>& workers);

  // Binds. A failure names address, port and cause.
  Status Listen();
  void Start();
  // Stops accepting; connections that wait to be accepted are reset. Idempotent.
  void Close();

  std::uint16_t port() const { return port_; }

 private:
  Task<void> AcceptLoop();
  void HandOver(Socket socket, AddressKey address, IoWorker& worker);
  void NoteFailure(const ErrorCode& error);

  ServerState& server_;
  const std::vector<std::unique_ptr<IoWorker>>& workers_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
  Timer pause_;
  Counter& refused_total_;
  Counter& refused_address_;
  Counter& failures_;
  bool failing_ = false;  // since the last connection that was accepted
  std::uint16_t port_ = 0;
};

}  // namespace xcloud
