#include "http/fetch/fetch_loop.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/log.h"
#include "http/fetch/address_policy.h"

namespace xcloud {
namespace {

// How late a token that nobody announces is seen; the header of PhotoFetcher promises it.
constexpr Duration kCancelTick = std::chrono::milliseconds(50);
// With photos open the loop looks at the clock at least this often, and without rarely.
constexpr Duration kBusyTick = std::chrono::seconds(1);
constexpr Duration kIdleTick = std::chrono::minutes(1);
// Addresses that are tried; a host with more is fine, the rest are not needed.
constexpr std::size_t kMaxPinned = 8;
// A whole answer may take long; who comes after the queue was full should wait about a photo.
constexpr std::chrono::milliseconds kRetryAfter{1000};

std::optional<FetchEnd> WhyOverdue(const FetchedPhoto& photo, TimePoint now,
                                   std::int64_t timeout_ms) {
  if (photo.cancel != nullptr && photo.cancel->Cancelled()) {
    return FetchEnd{FetchOutcome::kCancelled, Status::Cancelled("the caller went away")};
  }
  if (now < photo.until) return std::nullopt;
  if (photo.deadline.Expired(now)) {
    return FetchEnd{FetchOutcome::kLate,
                    Status::DeadlineExceeded("the deadline passed before the photo was fetched")};
  }
  return FetchEnd{FetchOutcome::kLate,
                  Status::DeadlineExceeded("the photo's URL took longer than " +
                                           std::to_string(timeout_ms) + " ms")};
}

// The log alone is told why: neither the caller nor who reads /metrics may know.
FetchEnd NoPublicAddressOf(const std::string& host, std::string_view why) {
  spdlog::debug("fetch: '{}' has no public address: {}", host, why);
  return {FetchOutcome::kNoPublicAddress, NoPublicAddress()};
}

FetchEnd LookupFailure(const std::string& host, const Status& status) {
  if (status.code() == StatusCode::kNotFound) return NoPublicAddressOf(host, status.message());
  if (status.code() == StatusCode::kOverloaded) {
    return {FetchOutcome::kOverloaded,
            Status::Overloaded("too many photos are being fetched", kRetryAfter)};
  }
  return {FetchOutcome::kLookupFailed,
          Status::Unavailable("the photo's host could not be looked up; try again")};
}

}  // namespace

FetchLoop::FetchLoop(const FetchConfig& config, const UrlPolicy& policy, FetchSeams seams,
                     FetchMetrics& metrics, Clock& clock)
    : config_(config),
      policy_(policy),
      seams_(std::move(seams)),
      metrics_(metrics),
      clock_(clock),
      multi_(curl_multi_init()) {
  XC_CHECK(multi_ != nullptr && seams_.resolver != nullptr);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(config.max_fetches));
  inbox_ = std::make_shared<FetchInbox>(
      multi_.get(), static_cast<std::size_t>(config.max_fetches + config.queue_capacity));
}

void FetchLoop::Run() {
  pthread_setname_np(pthread_self(), "xc-fetch");
  while (true) {
    FetchInbox::Mail mail = inbox_->Take();
    for (FetchedPhoto& photo : mail.photos) waiting_.push_back(std::move(photo));
    if (mail.stop) break;
    for (FoundAddresses& found : mail.found) OnFound(std::move(found));
    EndOverdue();
    StartWaiting();
    if (Move()) continue;
    curl_multi_poll(multi_.get(), nullptr, 0, WaitMs(), nullptr);
  }
  const auto stopping = [] {
    return FetchEnd{FetchOutcome::kStopping, Status::Unavailable("the server is stopping")};
  };
  while (!active_.empty()) {
    FetchedPhoto photo = Release(active_.begin());
    End(photo, stopping());
  }
  for (FetchedPhoto& photo : waiting_) End(photo, stopping());
  waiting_.clear();
  inbox_->Close();
}

void FetchLoop::StartWaiting() {
  for (auto photo = waiting_.begin(); photo != waiting_.end();) {
    if (active_.size() >= static_cast<std::size_t>(config_.max_fetches)) return;
    const auto used = per_host_.find(photo->url.host.name);
    if (used != per_host_.end() && used->second >= config_.connections_per_host) {
      ++photo;
      continue;
    }
    FetchedPhoto started = std::move(*photo);
    photo = waiting_.erase(photo);
    Start(std::move(started));
  }
}

// An address needs no lookup; a name's answer comes back by the inbox.
void FetchLoop::Start(FetchedPhoto photo) {
  const std::uint64_t hop = ++last_hop_;
  const Host host = photo.url.host;
  ++per_host_[host.name];
  const auto at =
      active_.emplace(hop, Active{std::move(photo), std::make_shared<CancelToken>(), nullptr})
          .first;
  if (host.address.has_value()) return CheckAndConnect(at, {*host.address});
  seams_.resolver->Resolve(host.name, at->second.lookup,
                           [inbox = inbox_, hop](Result<std::vector<IpAddress>> found) {
                             inbox->Put(FoundAddresses{hop, std::move(found)});
                           });
}

void FetchLoop::OnFound(FoundAddresses found) {
  const auto at = active_.find(found.hop);
  if (at == active_.end()) return;  // cancelled or late meanwhile
  if (!found.addresses.ok()) {
    FetchedPhoto photo = Release(at);
    return End(photo, LookupFailure(photo.url.host.name, found.addresses.status()));
  }
  CheckAndConnect(at, *std::move(found.addresses));
}

void FetchLoop::CheckAndConnect(ActiveMap::iterator at, std::vector<IpAddress> addresses) {
  const std::uint16_t port = at->second.photo.url.port;
  std::string_view refused = addresses.empty() ? "none at all" : "";
  for (const IpAddress& address : addresses) {
    if (seams_.exception && seams_.exception(address, port)) continue;
    if (const std::string_view why = WhyRefused(address); !why.empty()) refused = why;
  }
  if (!refused.empty()) {
    FetchedPhoto photo = Release(at);
    return End(photo, NoPublicAddressOf(photo.url.host.name, refused));
  }
  if (addresses.size() > kMaxPinned) addresses.resize(kMaxPinned);
  const TransferOptions options{static_cast<std::size_t>(config_.max_bytes),
                                static_cast<long>(config_.connect_timeout_ms), seams_.ca_file,
                                at->second.photo.share};
  at->second.transfer = std::make_unique<Transfer>(at->second.photo.url, std::move(addresses),
                                                   options, seams_.on_connect, at->first);
  XC_CHECK(curl_multi_add_handle(multi_.get(), at->second.transfer->handle()) == CURLM_OK);
}

void FetchLoop::EndOverdue() {
  const TimePoint now = clock_.Now();
  for (auto at = active_.begin(); at != active_.end();) {
    const auto next = std::next(at);
    if (auto end = WhyOverdue(at->second.photo, now, config_.timeout_ms)) {
      FetchedPhoto photo = Release(at);
      End(photo, *std::move(end));
    }
    at = next;
  }
  for (auto photo = waiting_.begin(); photo != waiting_.end();) {
    auto end = WhyOverdue(*photo, now, config_.timeout_ms);
    if (!end.has_value()) {
      ++photo;
      continue;
    }
    End(*photo, *std::move(end));
    photo = waiting_.erase(photo);
  }
}

bool FetchLoop::Move() {
  int running = 0;
  XC_CHECK(curl_multi_perform(multi_.get(), &running) == CURLM_OK);
  bool ended = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    OnTransferEnd(Transfer::HopOf(message->easy_handle), message->data.result);
    ended = true;
  }
  return ended;
}

void FetchLoop::OnTransferEnd(std::uint64_t hop, CURLcode code) {
  const auto at = active_.find(hop);
  XC_CHECK(at != active_.end());
  std::optional<FetchEnd> end = at->second.transfer->Finish(code);
  const std::string target = end.has_value() ? "" : at->second.transfer->Location();
  FetchedPhoto photo = Release(at);
  if (end.has_value()) return End(photo, *std::move(end));
  FollowRedirect(std::move(photo), target);
}

void FetchLoop::FollowRedirect(FetchedPhoto photo, const std::string& target) {
  const auto refuse = [&](const std::string& why) {
    End(photo, {FetchOutcome::kRefusedRedirect,
                Status::InvalidArgument("the photo's URL answers a redirect, and " + why)});
  };
  if (config_.max_redirects == 0) return refuse("redirects are not followed");
  if (photo.redirects_left == 0) return refuse("there were too many before it");
  Result<CheckedUrl> next = policy_.Check(target);
  if (!next.ok()) return refuse("where it leads is not allowed");
  if (photo.url.https && !next->https) return refuse("it leads from https to http");
  --photo.redirects_left;
  photo.url = *std::move(next);
  waiting_.push_front(std::move(photo));
}

FetchedPhoto FetchLoop::Release(ActiveMap::iterator at) {
  Active& active = at->second;
  active.lookup->Cancel();
  if (active.transfer != nullptr) {
    curl_multi_remove_handle(multi_.get(), active.transfer->handle());
  }
  const auto used = per_host_.find(active.photo.url.host.name);
  if (--used->second == 0) per_host_.erase(used);
  FetchedPhoto photo = std::move(active.photo);
  active_.erase(at);
  return photo;
}

void FetchLoop::End(FetchedPhoto& photo, FetchEnd end) {
  metrics_.Ended(end.outcome);
  metrics_.Took(clock_.Now() - photo.asked_at);
  metrics_.open().Add(-1);
  inbox_->OneEnded();
  photo.done(std::move(end.photo));
}

int FetchLoop::WaitMs() const {
  if (active_.empty() && waiting_.empty()) {
    return static_cast<int>(ToMilliseconds(kIdleTick));
  }
  const TimePoint now = clock_.Now();
  Duration wait = kBusyTick;
  const auto look = [&](const FetchedPhoto& photo) {
    wait = std::min(wait, photo.until - now);
    if (photo.cancel != nullptr) wait = std::min(wait, kCancelTick);
  };
  for (const auto& [hop, active] : active_) look(active.photo);
  for (const FetchedPhoto& photo : waiting_) look(photo);
  // Rounded up: a millisecond early would be a busy loop until then.
  return static_cast<int>(std::max(0.0, ToMilliseconds(wait) + 1));
}

}  // namespace xcloud
