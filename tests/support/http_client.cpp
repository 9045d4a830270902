#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace xcloud {
namespace {

constexpr int kTimeoutSeconds = 30;

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

HttpReply ParseHead(const std::string& head) {
  HttpReply reply;
  std::istringstream lines(head);
  std::string line;
  std::getline(lines, line);
  if (line.size() > 12) reply.status = std::atoi(line.c_str() + 9);
  while (std::getline(lines, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
    reply.headers[Lower(line.substr(0, colon))] = value;
  }
  return reply;
}

}  // namespace

HttpClient::HttpClient(std::uint16_t port) : port_(port) {}

HttpClient::~HttpClient() {
  Close();
}

void HttpClient::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  buffer_.clear();
}

bool HttpClient::Connect() {
  if (socket_ >= 0) return true;
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{kTimeoutSeconds, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return true;
  Close();
  return false;
}

bool HttpClient::Send(std::string_view bytes) {
  if (!Connect()) return false;
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpClient::FillUntil(std::string_view end_mark) {
  char chunk[16 * 1024];
  while (buffer_.find(end_mark) == std::string::npos) {
    const ssize_t got = recv(socket_, chunk, sizeof(chunk), 0);
    if (got <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
  return true;
}

HttpReply HttpClient::Receive() {
  if (socket_ < 0 || !FillUntil("\r\n\r\n")) {
    Close();
    return {};
  }
  const std::size_t head_end = buffer_.find("\r\n\r\n") + 4;
  HttpReply reply = ParseHead(buffer_.substr(0, head_end));
  buffer_.erase(0, head_end);
  if (reply.status == 100) return reply;
  const std::size_t length =
      static_cast<std::size_t>(std::atoll(reply.headers["content-length"].c_str()));
  char chunk[16 * 1024];
  while (buffer_.size() < length) {
    const ssize_t got = recv(socket_, chunk, sizeof(chunk), 0);
    if (got <= 0) return {};
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
  reply.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  if (Lower(reply.headers["connection"]) == "close") Close();
  return reply;
}

HttpReply HttpClient::Get(const std::string& target) {
  if (!Send("GET " + target + " HTTP/1.1\r\nHost: test\r\n\r\n")) return {};
  return Receive();
}

HttpReply HttpClient::Post(const std::string& target, const std::string& content_type,
                           std::string_view body) {
  const std::string head = "POST " + target +
                           " HTTP/1.1\r\nHost: test\r\nContent-Type: " + content_type +
                           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  // A refusal may come, and the connection close, before the body is sent: read it all the same.
  if (!Send(head + std::string(body)) && socket_ < 0) return {};
  return Receive();
}

HttpReply HttpClient::PostPhoto(const std::string& target, std::string_view image) {
  return Post(target, "multipart/form-data; boundary=" + std::string(kTestBoundary),
              MultipartBody("image", image));
}

std::string MultipartBody(std::string_view name, std::string_view image) {
  std::string body = "--" + std::string(kTestBoundary) +
                     "\r\nContent-Disposition: form-data; name=\"" + std::string(name) +
                     "\"; filename=\"photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
  body.append(image);
  return body + "\r\n--" + std::string(kTestBoundary) + "--\r\n";
}

std::string ReadBinaryFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace xcloud
