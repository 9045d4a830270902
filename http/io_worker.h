// IoWorker: one io thread: its io_context, the connections on it, what they share.
//
// Threads: Start, Adopt, Drain, Abort and Join from outside; the rest on the io thread. The
// thread's timer slack is 1 ns instead of Linux's 50 us, which would be added to each deadline.
#pragma once

#include <cstddef>
#include <thread>
#include <unordered_set>

#include <boost/asio/executor_work_guard.hpp>

#include "http/asio_types.h"
#include "http/connection.h"
#include "http/server_state.h"

namespace xcloud {

class IoWorker {
 public:
  IoWorker(ServerState& server, std::size_t number);
  ~IoWorker();

  void Start();
  // Serves the socket, which was accepted for context(), or tells it why it is not admitted.
  void Adopt(Socket socket, ConnectionSlot slot, Admission admission);
  // Closes the connections that are between requests.
  void Drain();
  // Cuts every connection. The thread ends once their coroutines have unwound.
  void Abort();
  void Join();

  asio::io_context& context() { return context_; }

 private:
  void Run();
  Task<void> Serve(std::shared_ptr<Connection> connection, ConnectionSlot slot,
                   Admission admission);

  const std::size_t number_;
  asio::io_context context_{1};  // one thread runs it
  asio::executor_work_guard<Executor> work_;
  WorkerState state_;
  std::unordered_set<Connection*> connections_;  // io thread only
  bool aborted_ = false;                         // io thread only
  std::thread thread_;
};

}  // namespace xcloud
