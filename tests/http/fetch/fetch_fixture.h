// FetchFixture: a PhotoFetcher between a table of names and a PhotoHost, on a clock that the test
// moves. Every socket that the fetcher opens is counted.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "http/fetch/photo_fetcher.h"
#include "http/fetch/resolver.h"
#include "tests/http/fetch/photo_host.h"
#include "tests/support/fake_clock.h"

namespace xcloud {

inline IpAddress Ip(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

// Answers from a table, inside Resolve; a name with several answers gives them in turn and then
// repeats the last. Names in `held` are kept until AnswerHeld().
class PuppetResolver final : public HostResolver {
 public:
  void Add(const std::string& host, const std::vector<std::string>& addresses) {
    std::vector<IpAddress> read;
    for (const std::string& text : addresses) read.push_back(Ip(text));
    MutexLock lock(mutex_);
    table_[host].emplace_back(std::move(read));
  }
  void AddFailure(const std::string& host, Status status) {
    MutexLock lock(mutex_);
    table_[host].emplace_back(std::move(status));
  }
  void Hold(const std::string& host) {
    MutexLock lock(mutex_);
    held_hosts_.push_back(host);
  }
  void AnswerHeld(const std::vector<std::string>& addresses) {
    std::vector<IpAddress> read;
    for (const std::string& text : addresses) read.push_back(Ip(text));
    std::vector<Done> held;
    {
      MutexLock lock(mutex_);
      held.swap(held_);
    }
    for (const Done& done : held) done(read);
  }
  std::size_t asked(const std::string& host) {
    MutexLock lock(mutex_);
    return static_cast<std::size_t>(std::count(asked_.begin(), asked_.end(), host));
  }
  // Of all questions so far: how many nobody waits for any more.
  std::size_t cancelled() {
    MutexLock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(cancels_.begin(), cancels_.end(),
                      [](const CancelTokenPtr& one) { return one->Cancelled(); }));
  }
  // False after 20 s.
  bool WaitAsked(std::size_t count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(mutex_);
    while (asked_.size() < count) {
      if (!changed_.WaitUntil(mutex_, until)) return false;
    }
    return true;
  }

  void Resolve(const std::string& host, CancelTokenPtr cancel, Done done) override {
    Result<std::vector<IpAddress>> answer = Status::NotFound("not in the table");
    {
      MutexLock lock(mutex_);
      asked_.push_back(host);
      cancels_.push_back(std::move(cancel));
      changed_.NotifyAll();
      if (std::count(held_hosts_.begin(), held_hosts_.end(), host) > 0) {
        return held_.push_back(std::move(done));
      }
      const auto found = table_.find(host);
      if (found != table_.end()) {
        answer = found->second.front();
        if (found->second.size() > 1) found->second.pop_front();
      }
    }
    done(std::move(answer));
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, std::deque<Result<std::vector<IpAddress>>>> table_ XC_GUARDED_BY(mutex_);
  std::vector<std::string> asked_ XC_GUARDED_BY(mutex_);
  std::vector<CancelTokenPtr> cancels_ XC_GUARDED_BY(mutex_);
  std::vector<std::string> held_hosts_ XC_GUARDED_BY(mutex_);
  std::vector<Done> held_ XC_GUARDED_BY(mutex_);
};

class FetchFixture : public ::testing::Test {
 protected:
  FetchFixture() {
    config_.allow = {"*", "*:" + std::to_string(host_.port())};
    config_.max_bytes = 4096;
    resolver_->Add("photos.example.org", {"127.0.0.1"});
  }

  // What the address policy would refuse and this test needs: 127.0.0.1 and .2 at its own host's
  // port. A test of refusals clears it.
  FetchSeams Seams() {
    FetchSeams seams;
    seams.resolver = resolver_;
    if (exception_) {
      seams.exception = [port = host_.port()](const IpAddress& ip, std::uint16_t to) {
        return to == port && (ip == Ip("127.0.0.1") || ip == Ip("127.0.0.2"));
      };
    }
    seams.on_connect = [this](const IpAddress& ip, std::uint16_t to) {
      MutexLock lock(mutex_);
      connects_.push_back(ip.to_string() + " " + std::to_string(to));
    };
    return seams;
  }
  void Start() {
    auto fetcher = PhotoFetcher::Create(config_, metrics_, clock_, Seams());
    ASSERT_TRUE(fetcher.ok()) << fetcher.status().message();
    fetcher_ = *std::move(fetcher);
  }

  using Pending = std::future<Result<std::string>>;
  // A second call of `done` throws out of set_value and ends the test program.
  Pending Begin(const std::string& url, Deadline deadline = {}, CancelTokenPtr cancel = nullptr) {
    auto promise = std::make_shared<std::promise<Result<std::string>>>();
    Pending pending = promise->get_future();
    fetcher_->Fetch({url, deadline, std::move(cancel)},
                    [promise](Result<std::string> photo) { promise->set_value(std::move(photo)); });
    return pending;
  }
  static Result<std::string> Await(Pending pending) {
    if (pending.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      return Status::Internal("the fetch did not end within 20 s");
    }
    return pending.get();
  }
  Result<std::string> Get(const std::string& url) { return Await(Begin(url)); }
  // On the host, under its usual name.
  std::string Url(const std::string& path, const std::string& name = "photos.example.org") const {
    return "http://" + name + ":" + std::to_string(host_.port()) + path;
  }
  static void ExpectStatus(const Result<std::string>& photo, StatusCode code,
                           const std::string& words) {
    ASSERT_FALSE(photo.ok());
    EXPECT_EQ(photo.status().code(), code) << photo.status().message();
    EXPECT_THAT(photo.status().message(), ::testing::HasSubstr(words));
    EXPECT_THAT(photo.status().message(), ::testing::Not(::testing::HasSubstr("127.0.0")));
  }
  std::uint64_t Ended(const std::string& outcome) {
    return metrics_.GetCounter("xcloud_fetches_total", "", {{"outcome", outcome}}).value();
  }
  std::vector<std::string> connects() {
    MutexLock lock(mutex_);
    return connects_;
  }

  PhotoHost host_;
  FetchConfig config_;
  bool exception_ = true;
  std::shared_ptr<PuppetResolver> resolver_ = std::make_shared<PuppetResolver>();
  MetricsRegistry metrics_;
  FakeClock clock_;
  Mutex mutex_;
  std::vector<std::string> connects_ XC_GUARDED_BY(mutex_);
  std::unique_ptr<PhotoFetcher> fetcher_;  // goes before what it calls
};

}  // namespace xcloud
