#include "http/io_worker.h"

#include <sys/prctl.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "core/log.h"
#include "http/session.h"

namespace xcloud {
namespace {

constexpr unsigned long kTimerSlackNs = 1;

}  // namespace

IoWorker::IoWorker(ServerState& server, std::size_t number)
    : number_(number),
      work_(context_.get_executor()),
      state_{
          server, std::make_shared<CompletionPort>(context_), {}, RequestMetrics(server.metrics)} {}

IoWorker::~IoWorker() {
  Abort();
  Join();
}

void IoWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void IoWorker::Run() {
  prctl(PR_SET_NAME, ("http-io/" + std::to_string(number_)).c_str());
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      // Coroutines catch their own; this keeps one bad handler from ending the thread.
      spdlog::error("io thread {}: {}", number_, error.what());
    }
  }
}

void IoWorker::Adopt(Socket socket, ConnectionSlot slot, Admission admission) {
  asio::post(context_.get_executor(), [this, socket = std::move(socket), slot = std::move(slot),
                                       admission]() mutable {
    if (aborted_) return;
    auto connection = std::make_shared<Connection>(std::move(socket), state_.server.clock);
    asio::co_spawn(context_.get_executor(),
                   Serve(std::move(connection), std::move(slot), admission),
                   [](const std::exception_ptr& thrown) {
                     if (thrown == nullptr) return;
                     try {
                       std::rethrow_exception(thrown);
                     } catch (const std::exception& error) {
                       spdlog::error("connection ended: {}", error.what());
                     }
                   });
  });
}

Task<void> IoWorker::Serve(std::shared_ptr<Connection> connection, ConnectionSlot slot,
                           Admission admission) {
  // Leaves the set and closes the socket before the slot is given back, also when something throws.
  struct Registered {
    std::unordered_set<Connection*>& set;
    Connection& connection;
    ~Registered() {
      connection.Close();
      set.erase(&connection);
    }
  };
  const ConnectionSlot held = std::move(slot);
  if (aborted_) co_return;
  connections_.insert(connection.get());
  const Registered registered{connections_, *connection};
  if (admission == Admission::kAdmitted) {
    co_await ServeConnection(connection, state_);
  } else {
    co_await RefuseConnection(connection, state_, admission);
  }
}

void IoWorker::Drain() {
  asio::post(context_.get_executor(), [this] {
    const std::vector<Connection*> all(connections_.begin(), connections_.end());
    for (Connection* connection : all) connection->CloseIfIdle();
  });
}

void IoWorker::Abort() {
  state_.port->Close();
  asio::post(context_.get_executor(), [this] {
    aborted_ = true;
    const std::vector<Connection*> all(connections_.begin(), connections_.end());
    for (Connection* connection : all) connection->Abort();
    work_.reset();
  });
}

void IoWorker::Join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace xcloud
