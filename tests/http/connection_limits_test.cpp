// The limits below the server: addresses, counts, open files, the buffer and the clock of one
// Connection, the bounds of its two parsers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <string>

#include "http/address_key.h"
#include "http/chunked_decoder.h"
#include "http/connection.h"
#include "http/connection_count.h"
#include "http/head_parser.h"
#include "http/open_files.h"

namespace xcloud {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

AddressKey Key(const char* address) {
  return AddressKeyOf(asio::ip::make_address(address));
}

TEST(AddressKeyTest, IsAnIpv4AddressOrAnIpv6Network) {
  EXPECT_NE(Key("10.0.0.1"), Key("10.0.0.2"));
  EXPECT_EQ(Key("10.0.0.1"), Key("::ffff:10.0.0.1"));
  EXPECT_EQ(Key("2001:db8:1:2::1"), Key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(Key("2001:db8:1:2::1"), Key("2001:db8:1:3::1"));
  EXPECT_NE(Key("::1"), Key("127.0.0.1"));
}

TEST(ConnectionCountTest, BoundsEachAddressAndAll) {
  Gauge gauge;
  ConnectionCount count(5, 2, gauge);
  EXPECT_EQ(count.TryAdd(1), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(1), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(1), Admission::kAddressFull);
  EXPECT_EQ(count.TryAdd(2), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(2), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(3), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(3), Admission::kServerFull);
  EXPECT_EQ(count.TryAdd(1), Admission::kAddressFull) << "what the client can do something about";
  EXPECT_EQ(gauge.value(), 5);
  { const ConnectionSlot slot(count, 1); }
  EXPECT_EQ(gauge.value(), 4);
  EXPECT_EQ(count.TryAdd(1), Admission::kAdmitted);
}

TEST(ConnectionCountTest, ForgetsAnAddressWithItsLastConnection) {
  Gauge gauge;
  ConnectionCount count(2, 2, gauge);
  for (AddressKey address = 0; address < 10'000; ++address) {
    ASSERT_EQ(count.TryAdd(address), Admission::kAdmitted);
    ASSERT_EQ(count.addresses(), 1U);
    count.Remove(address);
  }
  EXPECT_EQ(count.addresses(), 0U);
  EXPECT_EQ(count.TryAdd(1), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(2), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(3), Admission::kServerFull);
  EXPECT_EQ(count.addresses(), 2U) << "a refused one leaves nothing behind";
}

TEST(ConnectionCountTest, ZeroIsNoBoundOnAddresses) {
  Gauge gauge;
  ConnectionCount count(100, 0, gauge);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(count.TryAdd(1), Admission::kAdmitted);
  EXPECT_EQ(count.TryAdd(1), Admission::kServerFull);
  for (int i = 0; i < 100; ++i) count.Remove(1);
  EXPECT_EQ(gauge.value(), 0);
}

TEST(OpenFilesTest, SomeAreLeftForWhatIsNoConnection) {
  EXPECT_EQ(ConnectionsThatFit(16'384, 20'000), 16'384);
  EXPECT_EQ(ConnectionsThatFit(16'384, 16'384), 15'872);
  EXPECT_EQ(ConnectionsThatFit(16'384, 1024), 512);
  EXPECT_EQ(ConnectionsThatFit(16'384, 256), 64);
  EXPECT_EQ(ConnectionsThatFit(16'384, 0), 1);
  EXPECT_EQ(ConnectionsThatFit(16'384, RLIM_INFINITY), 16'384);
}

TEST(OpenFilesTest, TheLimitIsRaisedAndTheConnectionsAreFittedUnderIt) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit lowered{std::min<rlim_t>(64, before.rlim_max), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  ServerConfig config;
  config.max_connections = 1;
  FitOpenFiles(config);
  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(config.max_connections, 1);
  config.max_connections = 1'000'000'000'000;
  FitOpenFiles(config);
  EXPECT_EQ(config.max_connections, ConnectionsThatFit(1'000'000'000'000, before.rlim_max));
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(ChunkLimitTest, OneChunkOverTheMostIsRefused) {
  std::string all;
  for (std::size_t i = 0; i < ChunkedDecoder::kMaxChunks; ++i) all += "1\r\nx\r\n";
  std::string out;
  ChunkedDecoder most(1 << 20);
  most.Feed(all + "0\r\n\r\n", out);
  EXPECT_EQ(most.state(), ChunkedDecoder::State::kDone);
  EXPECT_EQ(out.size(), 65'536U);
  out.clear();
  ChunkedDecoder over(1 << 20);
  over.Feed(all + "1\r\n", out);
  EXPECT_EQ(over.state(), ChunkedDecoder::State::kTooManyChunks);
}

TEST(ChunkLimitTest, AMillionChunksOfOneByteAreNotKept) {
  ChunkedDecoder decoder(10 << 20);
  std::string out;
  std::size_t fed = 0;
  for (int i = 0; i < 1'000'000; ++i) fed += decoder.Feed("1\r\nx\r\n", out);
  EXPECT_EQ(decoder.state(), ChunkedDecoder::State::kTooManyChunks);
  EXPECT_EQ(out.size(), 65'536U);
  EXPECT_LT(fed, 65'537U * 6) << "what comes after the refusal is not read";
}

TEST(ChunkLimitTest, ExtensionsOfAllChunksTogetherAreBounded) {
  ChunkedDecoder decoder(1 << 20);
  std::string out;
  const std::string chunk = "1;" + std::string(1023, 'e') + "\r\nx\r\n";
  for (int i = 0; i < 16; ++i) decoder.Feed(chunk, out);
  EXPECT_EQ(decoder.state(), ChunkedDecoder::State::kMore);
  decoder.Feed(chunk, out);
  EXPECT_EQ(decoder.state(), ChunkedDecoder::State::kMalformed);
}

TEST(HeaderCountTest, AHundredAreReadAndOneMoreIs431) {
  for (const std::size_t headers : {std::size_t{100}, std::size_t{101}}) {
    std::string in = "GET / HTTP/1.1\r\nHost: t\r\n";
    for (std::size_t i = 1; i < headers; ++i) in += "A: b\r\n";
    in += "\r\n";
    HeadParser whole(4096);
    whole.Feed(in);
    HeadParser split(4096);
    std::string rest;
    for (std::size_t at = 0; at < in.size() && split.state() == HeadParser::State::kMore; ++at) {
      rest += in[at];
      rest.erase(0, split.Feed(rest));
    }
    for (const HeadParser* parser : {&whole, &split}) {
      if (headers == 100) {
        EXPECT_EQ(parser->state(), HeadParser::State::kDone);
        EXPECT_EQ(parser->head().Header("a"), "b");
        continue;
      }
      ASSERT_EQ(parser->state(), HeadParser::State::kRefused);
      EXPECT_EQ(parser->refusal().status, 431);
      EXPECT_THAT(parser->refusal().message, HasSubstr("100 headers"));
    }
  }
}

// A Connection and the client's socket, on one io_context that the test runs by hand.
class OneConnectionTest : public ::testing::Test {
 protected:
  OneConnectionTest() : client_(context_) {
    asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor(
        context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    client_.connect(acceptor.local_endpoint());
    connection_ = std::make_shared<Connection>(acceptor.accept(context_), clock_);
  }
  ~OneConnectionTest() override {
    connection_->Close();
    context_.restart();
    context_.run();
  }

  void Send(const std::string& bytes) { asio::write(client_, asio::buffer(bytes)); }
  // As much as the socket takes.
  std::size_t SendAll(std::size_t bytes) {
    client_.non_blocking(true);
    const std::string piece(64 * 1024, 'x');
    std::size_t sent = 0;
    ErrorCode error;
    while (sent < bytes && !error) sent += client_.write_some(asio::buffer(piece), error);
    return sent;
  }
  // Starts a coroutine; its outcome is there once it has ended.
  std::shared_ptr<std::optional<bool>> Start(Task<bool> task) {
    auto outcome = std::make_shared<std::optional<bool>>();
    asio::co_spawn(context_, std::move(task),
                   [outcome](const std::exception_ptr&, bool value) { *outcome = value; });
    return outcome;
  }
  // Until all that can happen now has happened.
  void Poll() {
    context_.restart();
    while (context_.poll() > 0) {
    }
  }
  template <class Condition>
  void RunUntil(Condition condition) {
    context_.restart();
    while (!condition() && context_.run_one() > 0) {
    }
  }

  SystemClock clock_;
  asio::io_context context_{1};
  Socket client_;
  std::shared_ptr<Connection> connection_;
};

TEST_F(OneConnectionTest, HoldsNoBufferUntilTheFirstByte) {
  const auto first = Start(connection_->ReadFirst());
  Poll();
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(connection_->buffer_bytes(), 0U);
  Send("GET");
  RunUntil([&] { return first->has_value(); });
  EXPECT_EQ(connection_->Buffered(), "GET");
  connection_->Consume(3);
  EXPECT_GT(connection_->buffer_bytes(), 0U);
  const auto second = Start(connection_->ReadFirst());
  Poll();
  EXPECT_EQ(connection_->buffer_bytes(), 0U) << "between requests";
  connection_->Abort();
  RunUntil([&] { return second->has_value(); });
  EXPECT_FALSE(second->value());
}

TEST_F(OneConnectionTest, ReadFirstEndsWithTheClientAndWithTheLimit) {
  connection_->LimitReads(milliseconds(10));
  const auto late = Start(connection_->ReadFirst());
  RunUntil([&] { return late->has_value(); });
  EXPECT_FALSE(late->value());
  EXPECT_TRUE(connection_->timed_out());
  connection_->LimitReads(hours(1));
  const auto gone = Start(connection_->ReadFirst());
  client_.close();
  RunUntil([&] { return gone->has_value(); });
  EXPECT_FALSE(gone->value());
  EXPECT_FALSE(connection_->timed_out());
}

TEST_F(OneConnectionTest, KeepsABoundedPartOfWhatIsPipelined) {
  bool gone = false;
  connection_->Watch([&] { gone = true; });
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += SendAll(1 << 20);
    Poll();
  }
  EXPECT_GT(sent, 64U * 1024);
  EXPECT_EQ(connection_->Buffered().size(), 64U * 1024);
  EXPECT_LE(connection_->buffer_bytes(), 128U * 1024);
  EXPECT_FALSE(gone);
  // Once it is dealt with, the memory goes too.
  connection_->Unwatch();
  Poll();
  connection_->Consume(connection_->Buffered().size());
  const auto next = Start(connection_->ReadFirst());
  RunUntil([&] { return next->has_value(); });
  EXPECT_LE(connection_->buffer_bytes(), 16U * 1024);
}

// Two limits on one clock: the one that must not pass is due first.
TEST_F(OneConnectionTest, WhatComesFastEnoughMovesTheLimit) {
  connection_->LimitReads(milliseconds(200), hours(1), Duration::max());
  Send("x");
  const auto first = Start(connection_->ReadMore());
  RunUntil([&] { return first->has_value(); });
  const auto second = Start(connection_->ReadMore());
  Timer later(context_);
  bool passed = false;
  later.expires_after(milliseconds(250));
  later.async_wait([&](const ErrorCode&) { passed = true; });
  RunUntil([&] { return passed || second->has_value(); });
  EXPECT_TRUE(passed);
  EXPECT_FALSE(second->has_value()) << "it has an hour more";
  Send("y");
  RunUntil([&] { return second->has_value(); });
  EXPECT_TRUE(second->value());
}

TEST_F(OneConnectionTest, WhatIsDrippedDoesNot) {
  connection_->LimitReads(milliseconds(30), std::chrono::microseconds(1), Duration::max());
  Timer drip(context_);
  std::size_t dripped = 0;
  std::function<void(const ErrorCode&)> next = [&](const ErrorCode& error) {
    if (error) return;
    Send("x");
    ++dripped;
    drip.expires_after(milliseconds(1));
    drip.async_wait(next);
  };
  next({});
  for (bool more = true; more;) {
    const auto read = Start(connection_->ReadMore());
    RunUntil([&] { return read->has_value(); });
    more = read->value();
  }
  EXPECT_TRUE(connection_->timed_out());
  EXPECT_GT(dripped, 0U);
  drip.cancel();
}

TEST_F(OneConnectionTest, TheMovedLimitStopsAtTheLatest) {
  connection_->LimitReads(milliseconds(5), hours(1), milliseconds(20));
  Send("xyz");
  const auto first = Start(connection_->ReadMore());
  RunUntil([&] { return first->has_value(); });
  const auto second = Start(connection_->ReadMore());
  RunUntil([&] { return second->has_value(); });
  EXPECT_FALSE(second->value());
  EXPECT_TRUE(connection_->timed_out());
}

TEST_F(OneConnectionTest, AnotherLimitForgetsTheCredit) {
  connection_->LimitReads(milliseconds(5), hours(1), Duration::max());
  connection_->LimitReads(milliseconds(5));
  Send("xyz");
  const auto first = Start(connection_->ReadMore());
  RunUntil([&] { return first->has_value(); });
  const auto second = Start(connection_->ReadMore());
  RunUntil([&] { return second->has_value(); });
  EXPECT_TRUE(connection_->timed_out());
}

}  // namespace
}  // namespace xcloud
