#include "http/fetch/photo_fetcher.h"

#include <curl/curl.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/mutex.h"
#include "http/fetch/fetch_loop.h"
#include "http/fetch/fetch_metrics.h"
#include "http/fetch/resolver.h"
#include "http/fetch/url_policy.h"

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};

void InitCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  XC_CHECK(code == CURLE_OK);
}

FetchOutcome WhyRefusedAtOnce(const UrlPolicy& policy, const Status& status) {
  if (policy.off()) return FetchOutcome::kOff;
  return status.code() == StatusCode::kPermissionDenied ? FetchOutcome::kNotAllowed
                                                        : FetchOutcome::kBadUrl;
}

}  // namespace

struct PhotoFetcher::Impl {
  Impl(const FetchConfig& fetch_config, UrlPolicy url_policy, MetricsRegistry& registry,
       Clock& the_clock)
      : config(fetch_config), policy(std::move(url_policy)), metrics(registry), clock(the_clock) {}

  const FetchConfig config;
  const UrlPolicy policy;
  FetchMetrics metrics;
  Clock& clock;
  std::unique_ptr<FetchLoop> loop;  // none while imgurl is off
  Mutex stopping;                   // one caller at a time joins
  std::thread thread XC_GUARDED_BY(stopping);
};

Result<std::unique_ptr<PhotoFetcher>> PhotoFetcher::Create(const FetchConfig& config,
                                                           MetricsRegistry& metrics, Clock& clock,
                                                           FetchSeams seams) {
  Result<UrlPolicy> policy = UrlPolicy::Create(config);
  if (!policy.ok()) return policy.status();
  auto impl = std::make_unique<Impl>(config, *std::move(policy), metrics, clock);
  if (!impl->policy.off()) {
    InitCurl();
    if (seams.resolver == nullptr) {
      seams.resolver = std::make_shared<SystemResolver>(
          static_cast<std::size_t>(config.resolve_threads),
          static_cast<std::size_t>(config.max_fetches), &impl->metrics.lookups_open());
    }
    impl->loop = std::make_unique<FetchLoop>(impl->config, impl->policy, std::move(seams),
                                             impl->metrics, clock);
    MutexLock lock(impl->stopping);
    impl->thread = std::thread([loop = impl->loop.get()] { loop->Run(); });
  }
  return std::unique_ptr<PhotoFetcher>(new PhotoFetcher(std::move(impl)));
}

PhotoFetcher::PhotoFetcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PhotoFetcher::~PhotoFetcher() {
  Stop();
}

bool PhotoFetcher::enabled() const {
  return !impl_->policy.off();
}

void PhotoFetcher::Fetch(FetchRequest request, Done done) {
  Result<CheckedUrl> url = impl_->policy.Check(request.url);
  if (!url.ok()) {
    impl_->metrics.Ended(WhyRefusedAtOnce(impl_->policy, url.status()));
    return done(url.status());
  }
  const TimePoint now = impl_->clock.Now();
  FetchedPhoto photo;
  photo.done = std::move(done);
  photo.url = *std::move(url);
  photo.cancel = std::move(request.cancel);
  photo.share = std::move(request.share);
  photo.asked_at = now;
  photo.deadline = request.deadline;
  photo.until =
      std::min(request.deadline.when(), now + std::chrono::milliseconds(impl_->config.timeout_ms));
  photo.redirects_left = impl_->config.max_redirects;
  impl_->metrics.open().Add(1);
  const FetchInbox::Answer answer = impl_->loop->inbox()->Put(photo);
  if (answer == FetchInbox::Answer::kTaken) return;
  impl_->metrics.open().Add(-1);
  if (answer == FetchInbox::Answer::kStopped) {
    impl_->metrics.Ended(FetchOutcome::kStopping);
    return photo.done(Status::Unavailable("the server is stopping"));
  }
  impl_->metrics.Ended(FetchOutcome::kOverloaded);
  photo.done(Status::Overloaded("too many photos are being fetched", kRetryAfter));
}

void PhotoFetcher::Wake() {
  if (impl_->loop != nullptr) impl_->loop->inbox()->Wake();
}

void PhotoFetcher::Stop() {
  if (impl_->loop == nullptr) return;
  impl_->loop->inbox()->AskToStop();
  MutexLock lock(impl_->stopping);
  if (impl_->thread.joinable()) impl_->thread.join();
}

Status CheckFetchConfig(const FetchConfig& config) {
  return UrlPolicy::Create(config).status();
}

}  // namespace xcloud
