// https: certificates are verified, and a redirect never leaves it. The host is openssl's own test
// server.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/http/fetch/fetch_fixture.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

// Serves the answers that lie in its folder. Takes one connection and ends; or ends by itself after
// 30 s. Its certificate is for photos.example.org and vouches for itself.
class TlsHost {
 public:
  TlsHost() {
    const std::string make =
        "cd " + folder_.path().string() +
        " && printf 'HTTP/1.0 200 OK\r\n\r\nphoto' >photo"
        " && printf 'HTTP/1.0 302 Found\r\nLocation: http://photos.example.org/\r\n\r\n' >plain"
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=photos.example.org -addext subjectAltName=DNS:photos.example.org"
        " -keyout key.pem -out cert.pem 2>/dev/null";
    if (std::system(make.c_str()) != 0) return;
    const std::string serve = "cd " + folder_.path().string() +
                              " && exec timeout 30 openssl s_server -accept 127.0.0.1:0"
                              " -naccept 1 -HTTP -key key.pem -cert cert.pem 2>&1 </dev/null";
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
  std::string certificate() const { return (folder_.path() / "cert.pem").string(); }
  // What the server wrote until it ended.
  std::string Rest() {
    std::string out;
    for (int c = 0; (c = std::fgetc(output_)) != EOF;) out += static_cast<char>(c);
    return out;
  }

 private:
  TempFolder folder_;
  FILE* output_ = nullptr;
  std::uint16_t port_ = 0;
};

class TlsTest : public FetchFixture {
 protected:
  void SetUp() override {
    if (tls_.port() == 0) GTEST_SKIP() << "needs the openssl program";
    config_.allow = {"*", "*:" + std::to_string(tls_.port())};
  }
  // With the host's certificate among those that are trusted, or the system's alone.
  void StartTrusting(bool the_host) {
    FetchSeams seams = Seams();
    seams.exception = [this](const IpAddress& ip, std::uint16_t to) {
      return ip == Ip("127.0.0.1") && to == tls_.port();
    };
    if (the_host) seams.ca_file = tls_.certificate();
    auto fetcher = PhotoFetcher::Create(config_, metrics_, clock_, seams);
    ASSERT_TRUE(fetcher.ok());
    fetcher_ = *std::move(fetcher);
  }
  std::string TlsUrl(const std::string& path, const std::string& name = "photos.example.org") {
    return "https://" + name + ":" + std::to_string(tls_.port()) + path;
  }
  TlsHost tls_;
};

TEST_F(TlsTest, FetchesFromAHostWithATrustedCertificate) {
  StartTrusting(true);
  const Result<std::string> photo = Get(TlsUrl("/photo"));
  ASSERT_TRUE(photo.ok()) << photo.status().message();
  EXPECT_EQ(*photo, "photo");
}

TEST_F(TlsTest, RefusesACertificateThatNobodyVouchesFor) {
  StartTrusting(false);
  ExpectStatus(Get(TlsUrl("/photo")), StatusCode::kInvalidArgument, "no valid certificate");
  EXPECT_THAT(tls_.Rest(), ::testing::HasSubstr("unknown ca")) << "the handshake got that far";
}

TEST_F(TlsTest, RefusesACertificateOfAnotherHost) {
  resolver_->Add("other.example.org", {"127.0.0.1"});
  StartTrusting(true);
  ExpectStatus(Get(TlsUrl("/photo", "other.example.org")), StatusCode::kInvalidArgument,
               "no valid certificate");
}

TEST_F(TlsTest, FollowsNoRedirectToPlainHttp) {
  config_.max_redirects = 1;
  StartTrusting(true);
  ExpectStatus(Get(TlsUrl("/plain")), StatusCode::kInvalidArgument, "from https to http");
  EXPECT_EQ(connects().size(), 1U);
}

}  // namespace
}  // namespace xcloud
