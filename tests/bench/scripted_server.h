// ScriptedServer: an HTTP server for tests of the load generator. What becomes of each POST is
// the test's decision, never the clock's.
//
// It runs on a thread of its own from construction to destruction, on a free port of 127.0.0.1.
// The script and the texts are called on that thread; the other methods may be called from any.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "bench/load_generator.h"
#include "core/mutex.h"

namespace xcloud {

enum class Fate {
  kAnswer,  // with `status`
  kHold,    // until Release()
  kDrop,    // close the connection without a word
  kGarble,  // answer with what is not HTTP
};
struct ScriptedReply {
  Fate fate = Fate::kAnswer;
  int status = 200;
};

struct SeenRequest {
  std::string head;  // request line and headers, as sent
  std::string body;
};

class ScriptedServer {
 public:
  // `number` counts POSTs from 0 in the order in which they were complete.
  using Script = std::function<ScriptedReply(std::size_t number)>;
  // The body of a GET, or nothing for 404.
  using Texts = std::function<std::optional<std::string>(const std::string& path)>;

  explicit ScriptedServer(Script script, Texts texts = {});
  ~ScriptedServer();

  LoadServer address() const { return {"127.0.0.1", port_}; }
  std::string Url(const std::string& path) const;

  // Answers every held request with 200. The script is asked about later ones as before.
  void Release();
  // From now on answers with `status` as soon as the headers are in, and reads no body.
  void RefuseBeforeBody(int status) { refuse_status_ = status; }

  std::size_t received() const;
  std::vector<SeenRequest> seen() const;

 private:
  class Session;
  void Accept();
  ScriptedReply Take(SeenRequest request);

  const Script script_;
  const Texts texts_;
  std::atomic<int> refuse_status_{0};
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::vector<std::shared_ptr<Session>> held_;  // the thread's own

  mutable Mutex mutex_;
  std::vector<SeenRequest> seen_ XC_GUARDED_BY(mutex_);

  std::thread thread_;  // last: it uses all of the above
};

// A port of this machine on which nothing listens.
std::uint16_t UnusedPort();

}  // namespace xcloud
