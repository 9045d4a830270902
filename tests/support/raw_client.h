// RawClient: a blocking socket for tests that say exactly which bytes go out, and that must see how
// the server ends a connection. Header only.
//
// Every wait is bounded (20 s), so a silent server fails a test instead of hanging it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace xcloud {

struct RawReply {
  int status = 0;                              // 0 = closed or timed out before a whole answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

class RawClient {
 public:
  // `source`: the address of this machine that it comes from, "127.0.0.2".
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0,
                     const char* source = nullptr) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval timeout{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (receive_buffer_bytes > 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof(receive_buffer_bytes));
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (source != nullptr) {
      inet_pton(AF_INET, source, &address.sin_addr);
      bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Something to read, or the end, within the time.
  bool WaitReadable(int timeout_ms) {
    pollfd waited{socket_, POLLIN, 0};
    return poll(&waited, 1, timeout_ms) > 0;
  }

  // The next answer. `head_only`: it answers a HEAD.
  RawReply Receive(bool head_only = false) {
    std::size_t head_end = 0;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return {};
    }
    RawReply reply = ParseHead(buffer_.substr(0, head_end + 2));
    buffer_.erase(0, head_end + 4);
    if (head_only || reply.status == 100 || reply.status == 304) return reply;
    const auto length =
        static_cast<std::size_t>(std::atoll(reply.Header("content-length").c_str()));
    while (buffer_.size() < length) {
      if (!Fill()) return {};
    }
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return reply;
  }

  // True when the server ends the connection, and nothing more comes before that.
  bool ReadsEnd() { return buffer_.empty() && !Fill() && ended_; }
  // Whatever comes until the end; how many bytes.
  std::size_t DrainBytes() {
    std::size_t total = buffer_.size();
    for (buffer_.clear(); Fill(); buffer_.clear()) total += buffer_.size();
    return total;
  }

  // Both in one.
  RawReply Ask(std::string_view request, bool head_only = false) {
    Send(request);
    return Receive(head_only);
  }

 private:
  bool Fill() {
    char chunk[64 * 1024];
    const ssize_t got = recv(socket_, chunk, sizeof(chunk), 0);
    ended_ = got == 0 || (got < 0 && errno == ECONNRESET);
    if (got <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  static RawReply ParseHead(const std::string& head) {
    RawReply reply;
    if (head.size() > 12) reply.status = std::atoi(head.c_str() + 9);
    std::size_t at = head.find("\r\n") + 2;
    while (at < head.size()) {
      const std::size_t end = head.find("\r\n", at);
      const std::size_t colon = head.find(": ", at);
      if (colon < end) {
        std::string name = head.substr(at, colon - at);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        reply.headers[name] = head.substr(colon + 2, end - colon - 2);
      }
      at = end + 2;
    }
    return reply;
  }

  int socket_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

}  // namespace xcloud
