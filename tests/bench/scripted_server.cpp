#include "tests/bench/scripted_server.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace xcloud {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = boost::asio::ip::tcp;

class ScriptedServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(ScriptedServer& server, tcp::socket socket)
      : server_(server), socket_(std::move(socket)) {}

  void ReadHead() {
    asio::async_read_until(socket_, asio::dynamic_buffer(input_), "\r\n\r\n",
                           [self = shared_from_this()](error_code error, std::size_t size) {
                             if (!error) self->OnHead(size);
                           });
  }

  void Answer(int status, const std::string& body) {
    Write("HTTP/1.1 " + std::to_string(status) +
              " Scripted\r\nContent-Type: text/plain\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body,
          true);
  }

 private:
  void OnHead(std::size_t size) {
    request_ = {input_.substr(0, size), ""};
    input_.erase(0, size);
    if (request_.head.starts_with("GET ")) return OnGet();
    if (const int status = server_.refuse_status_; status != 0) return Answer(status, "");
    const std::string key = "Content-Length: ";
    const std::size_t at = request_.head.find(key);
    const std::size_t length =
        at == std::string::npos ? 0 : std::stoul(request_.head.substr(at + key.size()));
    if (input_.size() >= length) return OnBody(length);
    asio::async_read(socket_, asio::dynamic_buffer(input_),
                     asio::transfer_exactly(length - input_.size()),
                     [self = shared_from_this(), length](error_code error, std::size_t) {
                       if (!error) self->OnBody(length);
                     });
  }

  void OnGet() {
    const std::string path = request_.head.substr(4, request_.head.find(' ', 4) - 4);
    const auto text = server_.texts_ ? server_.texts_(path) : std::nullopt;
    Answer(text.has_value() ? 200 : 404, text.value_or(""));
  }

  void OnBody(std::size_t length) {
    request_.body = input_.substr(0, length);
    input_.erase(0, length);
    const ScriptedReply reply = server_.Take(std::move(request_));
    switch (reply.fate) {
      case Fate::kAnswer:
        return Answer(reply.status, "{}");
      case Fate::kHold:
        return server_.held_.push_back(shared_from_this());
      case Fate::kDrop:
        return socket_.close();
      case Fate::kGarble:
        return Write("this is not HTTP\r\n\r\n", false);
    }
  }

  void Write(std::string text, bool keep) {
    output_ = std::move(text);
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this(), keep](error_code error, std::size_t) {
                        if (!error && keep) self->ReadHead();
                      });
  }

  ScriptedServer& server_;
  tcp::socket socket_;
  std::string input_;
  std::string output_;
  SeenRequest request_;
};

ScriptedServer::ScriptedServer(Script script, Texts texts)
    : script_(std::move(script)),
      texts_(std::move(texts)),
      io_(1),
      acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()) {
  Accept();
  thread_ = std::thread([this] { io_.run(); });
}

ScriptedServer::~ScriptedServer() {
  io_.stop();
  thread_.join();
}

std::string ScriptedServer::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

void ScriptedServer::Accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Session>(*this, std::move(socket))->ReadHead();
    Accept();
  });
}

ScriptedReply ScriptedServer::Take(SeenRequest request) {
  std::size_t number = 0;
  {
    MutexLock lock(mutex_);
    number = seen_.size();
    seen_.push_back(std::move(request));
  }
  return script_(number);
}

void ScriptedServer::Release() {
  asio::post(io_, [this] {
    for (const auto& session : std::exchange(held_, {})) session->Answer(200, "{}");
  });
}

std::size_t ScriptedServer::received() const {
  MutexLock lock(mutex_);
  return seen_.size();
}

std::vector<SeenRequest> ScriptedServer::seen() const {
  MutexLock lock(mutex_);
  return seen_;
}

std::uint16_t UnusedPort() {
  asio::io_context io;
  const tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  return acceptor.local_endpoint().port();
}

}  // namespace xcloud
