// PhotoUrlFixture: a ServerFixture that may fetch photos from one PhotoHost, which it knows as
// photos.example.org and reaches through an exception to the address policy.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "http/fetch/resolver.h"
#include "tests/http/fetch/photo_host.h"
#include "tests/http/server_fixture.h"

namespace xcloud {

class PhotoUrlFixture : public ServerFixture {
 protected:
  PhotoUrlFixture() { fetch_.allow = {"*.example.org:" + std::to_string(host_.port())}; }
  ~PhotoUrlFixture() override { host_.Release(); }

  void Start() {
    FetchSeams seams;
    seams.resolver = std::make_shared<LoopbackResolver>();
    seams.exception = [this](const IpAddress&, std::uint16_t port) {
      return host_allowed_ && port == host_.port();
    };
    server_ = std::make_unique<HttpServer>(config_, service_, call_log_, metrics_, clock_, fetch_,
                                           std::move(seams));
    const Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::string Url(const std::string& path) const {
    return "http://photos.example.org:" + std::to_string(host_.port()) + path;
  }
  static std::string PostJson(const std::string& target, const std::string& json) {
    return Post(target, "Content-Type: application/json\r\n", json);
  }
  // `more`: members beside it, each with a comma in front.
  static std::string PostUrl(const std::string& url, const std::string& more = "",
                             const std::string& target = "/cv/demo") {
    return PostJson(target, R"({"imgurl":")" + url + "\"" + more + "}");
  }

  class LoopbackResolver final : public HostResolver {
   public:
    void Resolve(const std::string&, CancelTokenPtr, Done done) override {
      done(std::vector<IpAddress>{boost::asio::ip::make_address("127.0.0.1")});
    }
  };

  PhotoHost host_;
  FetchConfig fetch_;
  bool host_allowed_ = true;
};

}  // namespace xcloud
