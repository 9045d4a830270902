// The system's name service, as far as it needs no network: addresses and this machine's own names.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/fetch/resolver.h"

namespace xcloud {
namespace {

using Addresses = std::vector<IpAddress>;

std::future<Result<Addresses>> Ask(HostResolver& resolver, const std::string& host) {
  auto promise = std::make_shared<std::promise<Result<Addresses>>>();
  resolver.Resolve(host,
                   [promise](Result<Addresses> found) { promise->set_value(std::move(found)); });
  return promise->get_future();
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

}  // namespace
}  // namespace xcloud
