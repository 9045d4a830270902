// The system's name service, as far as it needs no network: addresses and this machine's own names.
// Who gets its threads, with a puppet in the place of getaddrinfo.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "http/fetch/resolver.h"

namespace xcloud {
namespace {

using Addresses = std::vector<IpAddress>;

std::future<Result<Addresses>> Ask(HostResolver& resolver, const std::string& host,
                                   CancelTokenPtr cancel = nullptr) {
  auto promise = std::make_shared<std::promise<Result<Addresses>>>();
  resolver.Resolve(host, std::move(cancel),
                   [promise](Result<Addresses> found) { promise->set_value(std::move(found)); });
  return promise->get_future();
}

// Names that start with "slow" are held until Release(); all lead to one address.
class PuppetLookup {
 public:
  ~PuppetLookup() { Release(); }
  LookupFunction function() {
    return [state = state_](const std::string& host) -> Result<Addresses> {
      MutexLock lock(state->mutex);
      state->asked.push_back(host);
      state->changed.NotifyAll();
      while (host.starts_with("slow") && !state->released) state->changed.Wait(state->mutex);
      return Addresses{boost::asio::ip::make_address("192.0.2.1")};
    };
  }
  void Release() {
    MutexLock lock(state_->mutex);
    state_->released = true;
    state_->changed.NotifyAll();
  }
  // False after 20 s.
  bool WaitAsked(std::size_t count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(state_->mutex);
    while (state_->asked.size() < count) {
      if (!state_->changed.WaitUntil(state_->mutex, until)) return false;
    }
    return true;
  }
  std::vector<std::string> asked() {
    MutexLock lock(state_->mutex);
    return state_->asked;
  }

 private:
  // Shared with threads that the resolver does not wait for.
  struct State {
    Mutex mutex;
    CondVar changed;
    bool released XC_GUARDED_BY(mutex) = false;
    std::vector<std::string> asked XC_GUARDED_BY(mutex);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

bool Answered(std::future<Result<Addresses>>& answer) {
  return answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready &&
         answer.get().ok();
}

StatusCode CodeOf(std::future<Result<Addresses>> answer) {
  if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
    return StatusCode::kInternal;
  }
  return answer.get().status().code();
}

TEST(SystemResolverTest, FindsThisMachine) {
  SystemResolver resolver(2, 8);
  auto answer = Ask(resolver, "localhost");
  ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  const Result<Addresses> found = answer.get();
  ASSERT_TRUE(found.ok()) << found.status().message();
  for (const IpAddress& address : *found) EXPECT_TRUE(address.is_loopback());
}

TEST(SystemResolverTest, AnswersEachOfMany) {
  SystemResolver resolver(2, 64);
  std::vector<std::future<Result<Addresses>>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(Ask(resolver, "127.0.0." + std::to_string(i + 1)));
  for (int i = 0; i < 50; ++i) {
    auto& answer = answers[static_cast<std::size_t>(i)];
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const Result<Addresses> found = answer.get();
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_THAT(*found, ::testing::ElementsAre(
                            boost::asio::ip::make_address("127.0.0." + std::to_string(i + 1))));
  }
}

TEST(SystemResolverTest, RefusesOneTooMany) {
  SystemResolver resolver(1, 0);
  const auto answer = Ask(resolver, "localhost").get();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().code(), StatusCode::kOverloaded);
}

TEST(SystemResolverTest, EndsWithQuestionsWaiting) {
  std::vector<std::future<Result<Addresses>>> answers;
  {
    SystemResolver resolver(1, 64);
    for (int i = 0; i < 20; ++i) answers.push_back(Ask(resolver, "localhost"));
  }
  for (auto& answer : answers) {  // answered, or dropped with its promise
    EXPECT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  }
}

TEST(SystemResolverTest, OneSlowDomainLeavesThreadsToOthers) {
  PuppetLookup lookup;
  SystemResolver resolver(4, 64, nullptr, lookup.function());
  std::vector<std::future<Result<Addresses>>> slow;
  for (const char* host : {"slow1.evil.example", "slow2.evil.example", "slow3.deep.evil.example",
                           "slow4.evil.example", "slow5.evil.example"}) {
    slow.push_back(Ask(resolver, host));
  }
  ASSERT_TRUE(lookup.WaitAsked(2));
  auto other = Ask(resolver, "photos.example.org");
  auto same_end = Ask(resolver, "notevil.example");
  EXPECT_TRUE(Answered(other));
  EXPECT_TRUE(Answered(same_end)) << "another domain, though its name ends alike";
  EXPECT_THAT(lookup.asked(),
              ::testing::UnorderedElementsAre("slow1.evil.example", "slow2.evil.example",
                                              "photos.example.org", "notevil.example"));
  lookup.Release();
  for (auto& answer : slow) EXPECT_TRUE(Answered(answer)) << "it only had to wait";
}

TEST(SystemResolverTest, ACancelledQuestionIsNeverAsked) {
  PuppetLookup lookup;
  SystemResolver resolver(1, 64, nullptr, lookup.function());
  auto slow = Ask(resolver, "slow.example.org");
  ASSERT_TRUE(lookup.WaitAsked(1));
  const auto token = std::make_shared<CancelToken>();
  auto dropped = Ask(resolver, "dropped.example.net", token);
  auto last = Ask(resolver, "last.example.com");
  token->Cancel();
  lookup.Release();
  EXPECT_TRUE(Answered(slow));
  EXPECT_TRUE(Answered(last));
  EXPECT_THAT(lookup.asked(), ::testing::ElementsAre("slow.example.org", "last.example.com"));
  ASSERT_EQ(dropped.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_THROW((void)dropped.get(), std::future_error) << "its promise went unanswered";
}

TEST(SystemResolverTest, OneDomainGetsHalfOfThePlaces) {
  PuppetLookup lookup;
  SystemResolver resolver(1, 4, nullptr, lookup.function());
  auto running = Ask(resolver, "slow.evil.example");
  ASSERT_TRUE(lookup.WaitAsked(1));
  const auto token = std::make_shared<CancelToken>();
  auto first = Ask(resolver, "a.evil.example", token);
  auto second = Ask(resolver, "b.evil.example");
  EXPECT_EQ(CodeOf(Ask(resolver, "c.evil.example")), StatusCode::kOverloaded);
  auto other = Ask(resolver, "photos.example.org");
  auto another = Ask(resolver, "photos.example.net");
  EXPECT_EQ(CodeOf(Ask(resolver, "photos.example.com")), StatusCode::kOverloaded)
      << "four wait, and that is all";
  token->Cancel();
  auto in_its_place = Ask(resolver, "d.evil.example");
  lookup.Release();
  for (auto* answer : {&running, &second, &other, &another, &in_its_place}) {
    EXPECT_TRUE(Answered(*answer));
  }
}

TEST(SystemResolverTest, ShowsHowManyAreOpen) {
  PuppetLookup lookup;
  Gauge open;
  {
    SystemResolver resolver(2, 64, &open, lookup.function());
    auto first = Ask(resolver, "slow1.example.org");
    auto second = Ask(resolver, "slow2.example.org");
    auto other = Ask(resolver, "photos.example.net");
    EXPECT_TRUE(Answered(other));
    EXPECT_EQ(open.value(), 2) << "one is looked up, one waits for its domain's turn";
  }
  EXPECT_EQ(open.value(), 0);
}

}  // namespace
}  // namespace xcloud
