// Transfer: one GET of one checked URL from addresses that were checked, as a libcurl handle.
//
// What keeps it on its rails: the host's addresses are given to curl, which then asks no name
// server, in a table of this transfer's own; each socket is compared with them again before it
// connects; no proxy, whatever the environment says; http and https only; no redirects, cookies,
// keys or .netrc; certificates are verified; the answer's headers (64 KiB) and body are bounded
// while they come.
// A connection may be used again for the same host and port: its address was checked when it was
// made.
//
// Threads: the fetcher's. Add handle() to a multi handle and remove it before this goes.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/byte_budget.h"
#include "http/fetch/fetch_end.h"
#include "http/fetch/url_policy.h"

namespace xcloud {

struct TransferOptions {
  std::size_t max_bytes = 0;
  // TLS included. An address after which another follows gets half of what is left of it (all of
  // it, when that is 600 ms or less): curl's rule.
  long connect_timeout_ms = 0;
  std::string ca_file;                         // empty = the system's certificates
  std::shared_ptr<BodyShare> share = nullptr;  // grows with the body; null = nobody counts
};

class Transfer {
 public:
  // REQUIRES: `addresses` is not empty. `hop` is the owner's own number for it.
  Transfer(CheckedUrl url, std::vector<IpAddress> addresses, const TransferOptions& options,
           std::function<void(const IpAddress&, std::uint16_t)> on_connect, std::uint64_t hop);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* handle() const { return easy_.get(); }
  // The `hop` that the transfer behind a handle was made with.
  static std::uint64_t HopOf(CURL* handle);

  // Once curl is done with it. Nothing when the answer is a redirect; Location() says where to.
  std::optional<FetchEnd> Finish(CURLcode code);
  // The redirect's target, absolute, its host exactly as the answer spells it: curl's own reading
  // would already have turned 0127.0.0.1 into another address. Empty when there is none.
  std::string Location() const;

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeShare {
    void operator()(CURLSH* share) const { curl_share_cleanup(share); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void SetUp(const TransferOptions& options);
  void Pin();
  long ResponseCode() const;
  FetchEnd Failure(CURLcode code) const;
  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);

  const std::uint64_t hop_;
  const CheckedUrl url_;
  const std::vector<IpAddress> addresses_;
  const std::size_t max_bytes_;
  const std::shared_ptr<BodyShare> share_;
  const std::function<void(const IpAddress&, std::uint16_t)> on_connect_;
  std::unique_ptr<CURLSH, FreeShare> hosts_;  // curl's table of names, this transfer's own
  std::unique_ptr<curl_slist, FreeList> pins_;
  std::unique_ptr<CURL, FreeEasy> easy_;  // uses the two above: made last, freed first
  std::size_t header_bytes_ = 0;
  std::string location_;  // of the answer's header
  bool too_large_ = false;
  bool no_room_ = false;
  std::string body_;
};

}  // namespace xcloud
