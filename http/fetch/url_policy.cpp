#include "http/fetch/url_policy.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <curl/curl.h>

namespace xcloud {
namespace {

constexpr std::size_t kMaxUrl = 2048;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, FreeUrl>;

// Empty when the URL has no such part.
std::string Part(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

// The part of `url` after the scheme, or nothing when it is neither of the two.
std::string_view AfterScheme(std::string_view url, bool& https) {
  const auto same = [](char scheme, char read) {
    return scheme == (read >= 'A' && read <= 'Z' ? read - 'A' + 'a' : read);
  };
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (url.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), url.begin(), same)) {
      https = scheme.size() == 8;
      return url.substr(scheme.size());
    }
  }
  return {};
}

Status CheckText(std::string_view url) {
  if (url.empty()) return Status::InvalidArgument("the photo's URL is empty");
  if (url.size() > kMaxUrl) {
    return Status::InvalidArgument("the photo's URL is longer than " + std::to_string(kMaxUrl) +
                                   " characters");
  }
  const auto odd = [](char c) { return c <= 0x20 || c >= 0x7F || c == '\\' || c == '#'; };
  if (std::any_of(url.begin(), url.end(), odd)) {
    return Status::InvalidArgument(
        "the photo's URL may hold printable ASCII only, and no space, backslash or '#': "
        "percent-encode the path, write the host as xn--...");
  }
  return Status::Ok();
}

// Builds the URL again from its checked parts. False when libcurl read another host than we did.
bool Rebuild(const std::string& url, CheckedUrl& out) {
  const CurlUrl read(curl_url());
  if (curl_url_set(read.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) {
    return false;
  }
  const Result<Host> host = ParseHost(Part(read.get(), CURLUPART_HOST));
  if (!host.ok() || host->name != out.host.name ||
      Part(read.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT) != std::to_string(out.port)) {
    return false;
  }
  const bool v6 = out.host.address.has_value() && out.host.address->is_v6();
  const bool usual_port = out.port == (out.https ? 443 : 80);
  const std::string query = Part(read.get(), CURLUPART_QUERY);
  out.text = std::string(out.https ? "https://" : "http://") + (v6 ? "[" : "") + out.host.name +
             (v6 ? "]" : "") + (usual_port ? "" : ":" + std::to_string(out.port)) +
             Part(read.get(), CURLUPART_PATH) + (query.empty() ? "" : "?" + query);
  return true;
}

}  // namespace

Result<UrlPolicy> UrlPolicy::Create(const FetchConfig& config) {
  UrlPolicy policy;
  for (const std::string& text : config.allow) {
    Result<HostPattern> pattern = HostPattern::Parse(text);
    if (!pattern.ok()) {
      return Status::InvalidArgument("fetch.allow: '" + text + "': the host " +
                                     pattern.status().message());
    }
    policy.allow_.push_back(*std::move(pattern));
  }
  return policy;
}

Result<CheckedUrl> UrlPolicy::Check(std::string_view url) const {
  if (off()) {
    return Status(StatusCode::kPermissionDenied,
                  "imgurl is off: the operator allows no hosts ([fetch] allow)");
  }
  if (Status status = CheckText(url); !status.ok()) return status;
  CheckedUrl out;
  const std::string_view rest = AfterScheme(url, out.https);
  if (rest.empty()) {
    return Status::InvalidArgument("the photo's URL must start with http:// or https://");
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos) {
    return Status::InvalidArgument("the photo's URL must name no user before its host ('@')");
  }
  Result<HostAndPort> place = ParseAuthority(authority);
  if (!place.ok()) {
    return Status::InvalidArgument("the photo's URL: the host " + place.status().message());
  }
  out.host = std::move(place->host);
  out.port = place->port.value_or(out.https ? 443 : 80);
  if (!Allows(out.host, out.port)) {
    return Status(StatusCode::kPermissionDenied, "photos from '" + out.host.name + "', port " +
                                                     std::to_string(out.port) +
                                                     ", are not allowed here ([fetch] allow)");
  }
  if (!Rebuild(std::string(url), out)) {
    return Status::InvalidArgument("the photo's URL is malformed");
  }
  return out;
}

bool UrlPolicy::Allows(const Host& host, std::uint16_t port) const {
  return std::any_of(allow_.begin(), allow_.end(),
                     [&](const HostPattern& pattern) { return pattern.Matches(host, port); });
}

}  // namespace xcloud
