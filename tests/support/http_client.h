// HttpClient: a small blocking HTTP client for tests, one connection, kept alive.
//
// Every wait is bounded (30 s), so a server that says nothing fails a test instead of hanging it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace xcloud {

struct HttpReply {
  int status = 0;  // 0 = the connection closed or timed out without a whole answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpReply Get(const std::string& target);
  HttpReply Post(const std::string& target, const std::string& content_type, std::string_view body);
  // `image` as the multipart file part that curl -F image=@photo sends.
  HttpReply PostPhoto(const std::string& target, std::string_view image);

  // Raw bytes out, and the next answer in; for requests that no client library would make.
  bool Send(std::string_view bytes);
  HttpReply Receive();
  void Close();

 private:
  bool Connect();
  bool FillUntil(std::string_view end_mark);

  const std::uint16_t port_;
  int socket_ = -1;
  std::string buffer_;
};

// The multipart body of one file part named `name`; its boundary is kTestBoundary.
inline constexpr std::string_view kTestBoundary = "xcloud-test-boundary";
std::string MultipartBody(std::string_view name, std::string_view image);

// The whole file, or "" when it cannot be read.
std::string ReadBinaryFile(const std::string& path);

}  // namespace xcloud
