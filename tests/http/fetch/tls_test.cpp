// https: a certificate that nobody vouches for is refused. The host is openssl's own test server.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/http/fetch/fetch_fixture.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

// Takes one connection and ends; or ends by itself after 30 s.
class TlsHost {
 public:
  explicit TlsHost(const std::string& folder) {
    const std::string key = folder + "/key.pem";
    const std::string certificate = folder + "/cert.pem";
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=photos.example.org -addext subjectAltName=DNS:photos.example.org -keyout " +
        key + " -out " + certificate + " 2>/dev/null";
    if (std::system(make.c_str()) != 0) return;
    const std::string serve = "timeout 30 openssl s_server -accept 127.0.0.1:0 -naccept 1 -www " +
                              std::string("-key ") + key + " -cert " + certificate +
                              " 2>&1 </dev/null";
    output_ = popen(serve.c_str(), "r");
    char line[256];
    while (output_ != nullptr && std::fgets(line, sizeof(line), output_) != nullptr) {
      unsigned int port = 0;
      if (std::sscanf(line, "ACCEPT 127.0.0.1:%u", &port) != 1) continue;
      port_ = static_cast<std::uint16_t>(port);
      break;
    }
  }
  ~TlsHost() {
    if (output_ != nullptr) pclose(output_);
  }
  TlsHost(const TlsHost&) = delete;
  TlsHost& operator=(const TlsHost&) = delete;

  std::uint16_t port() const { return port_; }  // 0 = there is no openssl
  // What the server wrote until it ended.
  std::string Rest() {
    std::string out;
    for (int c = 0; (c = std::fgetc(output_)) != EOF;) out += static_cast<char>(c);
    return out;
  }

 private:
  FILE* output_ = nullptr;
  std::uint16_t port_ = 0;
};

class TlsTest : public FetchFixture {};

TEST_F(TlsTest, RefusesACertificateThatNobodyVouchesFor) {
  const TempFolder folder;
  TlsHost host(folder.path().string());
  if (host.port() == 0) GTEST_SKIP() << "needs the openssl program";
  const std::string port = std::to_string(host.port());
  config_.allow = {"*:" + port};
  FetchSeams seams = Seams();
  seams.exception = [&](const IpAddress& ip, std::uint16_t to) {
    return ip == Ip("127.0.0.1") && to == host.port();
  };
  auto fetcher = PhotoFetcher::Create(config_, metrics_, clock_, seams);
  ASSERT_TRUE(fetcher.ok());
  fetcher_ = *std::move(fetcher);
  ExpectStatus(Get("https://photos.example.org:" + port + "/photo"), StatusCode::kInvalidArgument,
               "no valid certificate");
  EXPECT_THAT(host.Rest(), ::testing::HasSubstr("unknown ca")) << "the handshake got that far";
}

}  // namespace
}  // namespace xcloud
