#include "http/fetch/transfer.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "http/fetch/socket_address.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxHeaderBytes = 65'536;
constexpr std::chrono::milliseconds kRetryAfter{1000};  // photos leave within a latency goal or so

// An option that is not taken is our bug, or there is no memory; either way the transfer must not
// go on without it.
template <class Value>
void Set(CURL* easy, CURLoption option, Value value) {
  XC_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

std::string Bracketed(const IpAddress& address) {
  return address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
}

FetchEnd Wrong(FetchOutcome outcome, std::string why) {
  return {outcome, Status::InvalidArgument(std::move(why))};
}

// The value of a header line that is a Location; else empty.
std::string LocationOf(std::string_view line) {
  constexpr std::string_view kName = "location:";
  const auto same = [](char name, char read) {
    return name == (read >= 'A' && read <= 'Z' ? read - 'A' + 'a' : read);
  };
  if (line.size() < kName.size() || !std::equal(kName.begin(), kName.end(), line.begin(), same)) {
    return {};
  }
  line.remove_prefix(kName.size());
  const std::size_t start = line.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  return std::string(line.substr(start, line.find_last_not_of(" \t\r\n") + 1 - start));
}

// `base` is a CheckedUrl's text, so its form is known. No dots are resolved: curl does that to the
// path when the URL is checked.
std::string AbsoluteUrl(const std::string& base, const std::string& target) {
  if (target.empty()) return {};
  const std::size_t colon = target.find_first_of(":/?#");
  if (colon != std::string::npos && target[colon] == ':') return target;
  if (target.starts_with("//")) return base.substr(0, base.find("//")) + target;
  const std::size_t path = base.find('/', base.find("//") + 2);
  if (target.front() == '/') return base.substr(0, path) + target;
  const std::size_t query = base.find('?', path);
  if (target.front() == '?') return base.substr(0, query) + target;
  return base.substr(0, base.rfind('/', query) + 1) + target;
}

bool IsRedirect(long code) {
  return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

}  // namespace

Transfer::Transfer(CheckedUrl url, std::vector<IpAddress> addresses, const TransferOptions& options,
                   std::function<void(const IpAddress&, std::uint16_t)> on_connect,
                   std::uint64_t hop)
    : hop_(hop),
      url_(std::move(url)),
      addresses_(std::move(addresses)),
      max_bytes_(options.max_bytes),
      share_(options.share),
      on_connect_(std::move(on_connect)),
      hosts_(curl_share_init()),
      easy_(curl_easy_init()) {
  XC_CHECK(!addresses_.empty() && hosts_ != nullptr && easy_ != nullptr);
  SetUp(options);
  Pin();
}

void Transfer::SetUp(const TransferOptions& options) {
  CURL* easy = easy_.get();
  Set(easy, CURLOPT_URL, url_.text.c_str());
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy, CURLOPT_PROXY, "");
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  Set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) Set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  Set(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  Set(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  Set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  Set(easy, CURLOPT_USERAGENT, "XCloud/" XCLOUD_VERSION);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, options.connect_timeout_ms);
  Set(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(max_bytes_));
  Set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::OpenSocket);
  Set(easy, CURLOPT_OPENSOCKETDATA, this);
  Set(easy, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  Set(easy, CURLOPT_HEADERDATA, this);
  Set(easy, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  Set(easy, CURLOPT_WRITEDATA, this);
  Set(easy, CURLOPT_PRIVATE, this);
}

// A table of this transfer's own: in the multi handle's, a fetch of the same host could replace
// the addresses between their check and the connection.
void Transfer::Pin() {
  XC_CHECK(curl_share_setopt(hosts_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK);
  Set(easy_.get(), CURLOPT_SHARE, hosts_.get());
  if (url_.host.address.has_value()) return;  // nothing to look up
  std::string pin = url_.host.name + ":" + std::to_string(url_.port) + ":";
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    pin += (i == 0 ? "" : ",") + Bracketed(addresses_[i]);
  }
  pins_.reset(curl_slist_append(nullptr, pin.c_str()));
  XC_CHECK(pins_ != nullptr);
  Set(easy_.get(), CURLOPT_RESOLVE, pins_.get());
}

curl_socket_t Transfer::OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address) {
  const auto* transfer = static_cast<const Transfer*>(self);
  const auto peer = ToSocketAddress(&address->addr, address->addrlen);
  const auto& pinned = transfer->addresses_;
  if (purpose != CURLSOCKTYPE_IPCXN || !peer.has_value() || peer->port != transfer->url_.port ||
      std::find(pinned.begin(), pinned.end(), peer->ip) == pinned.end()) {
    return CURL_SOCKET_BAD;
  }
  if (transfer->on_connect_) transfer->on_connect_(peer->ip, peer->port);
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) transfer->location_.clear();  // after an answer 1xx
  if (transfer->location_.empty()) transfer->location_ = LocationOf(line);
  transfer->header_bytes_ += size * count;
  return transfer->header_bytes_ > kMaxHeaderBytes ? 0 : size * count;
}

std::size_t Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (transfer->ResponseCode() != 200) return 0;  // nobody wants to read the 404's page
  std::string& body = transfer->body_;
  if (bytes > transfer->max_bytes_ - body.size()) {
    transfer->too_large_ = true;
    return 0;
  }
  if (transfer->share_ != nullptr && !transfer->share_->GrowTo(body.size() + bytes)) {
    transfer->no_room_ = true;
    return 0;
  }
  if (body.empty()) {
    curl_off_t declared = -1;
    curl_easy_getinfo(transfer->easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &declared);
    if (declared > 0) body.reserve(static_cast<std::size_t>(declared));  // at most max_bytes
  }
  body.append(data, bytes);
  return bytes;
}

long Transfer::ResponseCode() const {
  long code = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
  return code;
}

std::optional<FetchEnd> Transfer::Finish(CURLcode code) {
  const long status = ResponseCode();
  // OnBody refuses the body of anything but 200, which curl calls a write error.
  const bool head_is_in = code == CURLE_OK || code == CURLE_FILESIZE_EXCEEDED ||
                          (code == CURLE_WRITE_ERROR && header_bytes_ <= kMaxHeaderBytes);
  if (head_is_in && status != 200) {
    if (IsRedirect(status)) return std::nullopt;
    return Wrong(FetchOutcome::kBadStatus, "the photo's URL answered " + std::to_string(status));
  }
  if (code != CURLE_OK) return Failure(code);
  if (body_.empty()) return Wrong(FetchOutcome::kBroken, "the photo's URL answered an empty body");
  return FetchEnd{FetchOutcome::kOk, std::move(body_)};
}

FetchEnd Transfer::Failure(CURLcode code) const {
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return {FetchOutcome::kTooLarge, Status::TooLarge("the photo behind the URL has more than " +
                                                      std::to_string(max_bytes_) + " bytes")};
  }
  if (no_room_) {
    return {FetchOutcome::kOverloaded,
            Status::Overloaded("the server holds as many bytes of photos as it may", kRetryAfter)};
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {FetchOutcome::kLate,
              Status::DeadlineExceeded("the photo's host did not accept a connection in time")};
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return Wrong(FetchOutcome::kUnreachable, "the photo's host does not accept connections");
    case CURLE_SSL_CONNECT_ERROR:
      return Wrong(FetchOutcome::kUnreachable, "the photo's host does not speak TLS");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return Wrong(FetchOutcome::kUnreachable, "the photo's host has no valid certificate");
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return Wrong(FetchOutcome::kBroken,
                   "the photo's host ended the connection before the photo was complete");
    default:
      return Wrong(FetchOutcome::kBroken, "the photo's host does not answer in proper HTTP");
  }
}

std::uint64_t Transfer::HopOf(CURL* handle) {
  char* self = nullptr;
  curl_easy_getinfo(handle, CURLINFO_PRIVATE, &self);
  return reinterpret_cast<const Transfer*>(self)->hop_;
}

std::string Transfer::Location() const {
  return AbsoluteUrl(url_.text, location_);
}

}  // namespace xcloud
