// ServerFixture: an HttpServer on a free port with puppets behind it, and the requests that most
// tests send.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/metrics.h"
#include "http/server.h"
#include "tests/support/puppet_call_log.h"
#include "tests/support/puppet_inference_service.h"
#include "tests/support/raw_client.h"

namespace xcloud {

using Json = nlohmann::json;

class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture() {
    config_.port = 0;
    config_.io_threads = 1;
  }

  void Start() {
    server_ = std::make_unique<HttpServer>(config_, service_, call_log_, metrics_, clock_);
    const Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::uint16_t port() const { return server_->port(); }

  static std::string Get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n";
  }
  // A POST with a Content-Length; `headers` are whole lines.
  static std::string Post(const std::string& target, const std::string& headers,
                          const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: test\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string PostImage(const std::string& target = "/cv/demo",
                               const std::string& headers = "") {
    return Post(target, "Content-Type: image/jpeg\r\n" + headers, "photo");
  }
  static std::string FormPart(const std::string& name, const std::string& data,
                              const std::string& filename = "") {
    return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"" +
           (filename.empty() ? "" : "; filename=\"" + filename + "\"") + "\r\n\r\n" + data + "\r\n";
  }
  static std::string PostForm(const std::string& target, const std::string& body) {
    return Post(target, "Content-Type: multipart/form-data; boundary=B\r\n", body);
  }
  // One request on a connection of its own.
  RawReply Ask(const std::string& request) { return RawClient(port()).Ask(request); }

  // The error form, with this status and body code.
  static void ExpectError(const RawReply& reply, int status, int code,
                          const std::string& words = "") {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(reply.Header("content-type"), "application/json; charset=utf-8");
    const Json body = Json::parse(reply.body, nullptr, false);
    ASSERT_FALSE(body.is_discarded()) << reply.body;
    EXPECT_EQ(body["code"], code);
    EXPECT_THAT(body["msg"].get<std::string>(), ::testing::HasSubstr(words));
    EXPECT_TRUE(body["data"].is_null());
    EXPECT_GE(body["elapse"].get<double>(), 0);
  }

  ServerConfig config_;
  PuppetInferenceService service_;
  PuppetCallLog call_log_;
  MetricsRegistry metrics_;
  SystemClock clock_;
  std::unique_ptr<HttpServer> server_;  // stops before what it uses goes
};

}  // namespace xcloud
