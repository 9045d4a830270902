// PhotoHost: a host on 127.0.0.1 that serves photos well or badly, by path, and counts who came.
//
// Each connection has a thread. What a path waits for is an event (the client goes, or Release()),
// never time. Header only; tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/mutex.h"

namespace xcloud {

class PhotoHost {
 public:
  PhotoHost() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, raw, size) != 0 || listen(listener_, 64) != 0) std::abort();
    getsockname(listener_, raw, &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~PhotoHost() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    Release();
    std::vector<std::thread> threads;
    {
      MutexLock lock(mutex_);
      for (const int peer : peers_) shutdown(peer, SHUT_RDWR);
      threads.swap(threads_);
    }
    for (std::thread& thread : threads) thread.join();
  }
  PhotoHost(const PhotoHost&) = delete;
  PhotoHost& operator=(const PhotoHost&) = delete;

  std::uint16_t port() const { return port_; }
  std::size_t accepted() {
    MutexLock lock(mutex_);
    return accepted_;
  }
  // Heads of the requests so far.
  std::vector<std::string> requests() {
    MutexLock lock(mutex_);
    return requests_;
  }
  // Each false after 20 s.
  bool WaitRequests(std::size_t count) {
    return WaitFor([&]() XC_NO_THREAD_SAFETY_ANALYSIS { return requests_.size() >= count; });
  }
  bool WaitGone(std::size_t count) {
    return WaitFor([&]() XC_NO_THREAD_SAFETY_ANALYSIS { return gone_ >= count; });
  }
  // Lets every /hold go, those to come too.
  void Release() {
    {
      MutexLock lock(mutex_);
      released_ = true;
    }
    changed_.NotifyAll();
  }

  static std::string Answer(const std::string& body, const std::string& status = "200 OK",
                            const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           headers + "\r\n" + body;
  }

 private:
  template <class Condition>
  bool WaitFor(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(mutex_);
    while (!condition()) {
      if (!changed_.WaitUntil(mutex_, until)) return condition();
    }
    return true;
  }

  void Accept() {
    for (int peer = 0; (peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      MutexLock lock(mutex_);
      ++accepted_;
      peers_.push_back(peer);
      threads_.emplace_back([this, peer] { Serve(peer); });
    }
  }

  void Serve(int peer) {
    std::string in;
    while (ReadHead(peer, in)) {
      const std::string head = in.substr(0, in.find("\r\n\r\n") + 4);
      in.erase(0, head.size());
      {
        MutexLock lock(mutex_);
        requests_.push_back(head);
      }
      changed_.NotifyAll();
      if (!Reply(peer, head.substr(4, head.find(' ', 4) - 4))) break;
    }
    shutdown(peer, SHUT_RDWR);
    {
      MutexLock lock(mutex_);
      ++gone_;
    }
    changed_.NotifyAll();
    // Closed under the lock only with the list, so that the destructor never shuts a reused number.
    MutexLock lock(mutex_);
    std::erase(peers_, peer);
    close(peer);
  }

  static bool ReadHead(int peer, std::string& in) {
    char chunk[4096];
    while (in.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(peer, chunk, sizeof(chunk), 0);
      if (got <= 0) return false;
      // Who begins TLS here is told so, as servers without it do.
      if (in.empty() && chunk[0] == 0x16) {
        Send(peer, Answer("", "400 Bad Request"));
        return false;
      }
      in.append(chunk, static_cast<std::size_t>(got));
    }
    return true;
  }
  static bool Send(int peer, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  static void UntilGone(int peer) {
    char chunk[4096];
    while (recv(peer, chunk, sizeof(chunk), 0) > 0) {
    }
  }
  void UntilReleased() {
    MutexLock lock(mutex_);
    while (!released_) changed_.Wait(mutex_);
  }

  // False: the connection ends.
  bool Reply(int peer, const std::string& path) {
    const std::string name = path.substr(0, path.find('?'));
    const std::string argument = path.size() > name.size() ? path.substr(name.size() + 1) : "";
    if (name == "/photo") return Send(peer, Answer("photo"));
    if (name == "/size") return Send(peer, Answer(std::string(std::stoul(argument), 'x')));
    if (name == "/status") return Send(peer, Answer("no photo", argument + " Words"));
    if (name == "/to") return Send(peer, Answer("", "302 Found", "Location: " + argument + "\r\n"));
    if (name == "/raw-to") {
      return Send(peer, Answer("moved", "301 Moved", "Location: " + argument + "\r\n"));
    }
    if (name == "/hold") {
      UntilReleased();
      return Send(peer, Answer("photo"));
    }
    ReplyBadly(peer, name);
    return false;
  }

  void ReplyBadly(int peer, const std::string& name) {
    if (name == "/silent") return UntilGone(peer);
    if (name == "/slow") {
      Send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
      return UntilGone(peer);
    }
    if (name == "/early") {
      Send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
    }
    if (name == "/until-close") Send(peer, "HTTP/1.1 200 OK\r\n\r\nphoto");
    if (name == "/garbage") Send(peer, "this is not HTTP\r\n\r\n");
    if (name == "/declared") {
      Send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
      return UntilGone(peer);
    }
    if (name == "/endless" && Send(peer, "HTTP/1.1 200 OK\r\n\r\n")) {
      while (Send(peer, std::string(1024, 'x'))) {
      }
    }
    if (name == "/chunks" && Send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) {
      while (Send(peer, "400\r\n" + std::string(1024, 'x') + "\r\n")) {
      }
    }
    if (name == "/headers" && Send(peer, "HTTP/1.1 200 OK\r\n")) {
      while (Send(peer, "X-Header: " + std::string(1000, 'x') + "\r\n")) {
      }
    }
    // "/nothing" and unknown paths: the end.
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
  Mutex mutex_;
  CondVar changed_;
  std::size_t accepted_ XC_GUARDED_BY(mutex_) = 0;
  std::size_t gone_ XC_GUARDED_BY(mutex_) = 0;
  bool released_ XC_GUARDED_BY(mutex_) = false;
  std::vector<std::string> requests_ XC_GUARDED_BY(mutex_);
  std::vector<int> peers_ XC_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
