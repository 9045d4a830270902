#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/buffer.hpp>

namespace xcloud {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kMaxPipelinedBytes = 64 * 1024;
constexpr auto kLingerTime = std::chrono::seconds(1);

bool IsLoopbackAddress(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

}  // namespace

Connection::Connection(Socket socket, const Clock& clock)
    : socket_(std::move(socket)),
      clock_(clock),
      timer_(socket_.get_executor()),
      wait_timer_(socket_.get_executor()) {
  ErrorCode ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);  // for the write that is tried first
}

std::string_view Connection::Buffered() const {
  const auto data = buffer_.cdata();
  return {static_cast<const char*>(data.data()), data.size()};
}

bool Connection::HasUnread() const {
  ErrorCode ignored;
  return buffer_.size() > 0 || socket_.available(ignored) > 0;
}

Task<bool> Connection::ReadMore() {
  const auto space = buffer_.prepare(kReadBytes);
  const std::size_t got = co_await ReadInto(static_cast<char*>(space.data()), space.size());
  buffer_.commit(got);
  co_return got > 0;
}

Task<bool> Connection::ReadFirst() {
  if (timed_out_ || aborted_) co_return false;
  buffer_.shrink_to_fit();
  ErrorCode error;
  co_await socket_.async_wait(Socket::wait_read, asio::redirect_error(kUseTask, error));
  if (error || timed_out_ || aborted_) co_return false;
  const auto space = buffer_.prepare(kReadBytes);
  const std::size_t got = socket_.read_some(space, error);
  buffer_.commit(got);
  last_read_at_ = clock_.Now();
  if (error != asio::error::would_block) co_return got > 0;
  const bool more = co_await ReadMore();
  co_return more;
}

Task<std::size_t> Connection::ReadInto(char* data, std::size_t size) {
  if (timed_out_ || aborted_) co_return 0;
  ErrorCode error;
  const std::size_t got = co_await socket_.async_read_some(asio::buffer(data, size),
                                                           asio::redirect_error(kUseTask, error));
  last_read_at_ = clock_.Now();
  if (per_byte_ > Duration{}) {
    limit_at_ = std::min(latest_at_, limit_at_ + per_byte_ * static_cast<std::int64_t>(got));
  }
  co_return error ? 0 : got;
}

Task<bool> Connection::Write(std::string_view head, std::string_view body, Duration limit) {
  const std::size_t total = head.size() + body.size();
  std::size_t written = 0;
  bool tried = false;
  while (written < total) {
    if (aborted_ || (tried && timed_out_)) co_return false;
    const std::string_view rest = written < head.size() ? head.substr(written) : std::string_view();
    const std::size_t in_body = written < head.size() ? 0 : written - head.size();
    const std::array<asio::const_buffer, 2> buffers = {
        asio::buffer(rest.data(), rest.size()),
        asio::buffer(body.data() + in_body, body.size() - in_body)};
    ErrorCode error;
    if (!tried) {
      // Almost every answer fits the socket's buffer: no timer, no trip through the reactor.
      tried = true;
      written += socket_.write_some(buffers, error);
      if (error && error != asio::error::would_block) co_return false;
      if (written < total) Limit(limit, true);
      continue;
    }
    written += co_await socket_.async_write_some(buffers, asio::redirect_error(kUseTask, error));
    if (error) co_return false;
  }
  NoLimit();
  co_return true;
}

void Connection::LimitReads(Duration limit) {
  Limit(limit, false);
}

void Connection::LimitReads(Duration limit, Duration per_byte, Duration most) {
  Limit(limit, false);
  per_byte_ = per_byte;
  const auto now = Steady::now();
  latest_at_ = most < Steady::time_point::max() - now ? now + most : Steady::time_point::max();
}

void Connection::NoLimit() {
  limit_at_ = Steady::time_point::max();
  per_byte_ = Duration{};
}

void Connection::Limit(Duration limit, bool writing) {
  timed_out_ = false;
  limits_writing_ = writing;
  per_byte_ = Duration{};
  limit_at_ = Steady::now() + limit;
  if (limit_at_ < fires_at_) StartTimer();
}

void Connection::StartTimer() {
  fires_at_ = limit_at_;
  timer_.expires_at(limit_at_);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) { self->OnTimer(error); });
}

void Connection::OnTimer(const ErrorCode& error) {
  if (error == asio::error::operation_aborted || aborted_) return;
  fires_at_ = Steady::time_point::max();
  if (limit_at_ == Steady::time_point::max()) return;
  if (Steady::now() < limit_at_) {
    StartTimer();
    return;
  }
  timed_out_ = true;
  limit_at_ = Steady::time_point::max();
  // A read is cancelled and the socket stays whole: its answer must not be lost to a reset, so
  // Linger reads on. One whose completion is queued already starts no other: timed_out_ is set.
  ErrorCode ignored;
  if (limits_writing_) {
    socket_.shutdown(Socket::shutdown_both, ignored);
  } else {
    socket_.cancel(ignored);
  }
}

bool Connection::PeerIsLoopback() const {
  ErrorCode error;
  const auto peer = socket_.remote_endpoint(error).address();
  return !error && IsLoopbackAddress(peer);
}

void Connection::Watch(std::function<void()> gone) {
  on_gone_ = std::move(gone);
  StartWatch();
}

void Connection::StartWatch() {
  watching_ = true;
  const std::uint64_t generation = ++watch_generation_;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this(), generation](const ErrorCode& error) {
                       self->OnReadable(error, generation);
                     });
}

void Connection::Unwatch() {
  on_gone_ = nullptr;
  ++watch_generation_;
  if (!std::exchange(watching_, false)) return;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Connection::OnReadable(const ErrorCode& error, std::uint64_t generation) {
  if (generation != watch_generation_) return;
  watching_ = false;
  if (error || aborted_ || !on_gone_) return;
  char byte = 0;
  const ssize_t got = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) {
    if (KeepPipelined()) StartWatch();
  } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    StartWatch();
  } else {
    const auto gone = std::exchange(on_gone_, nullptr);
    gone();
  }
}

bool Connection::KeepPipelined() {
  if (buffer_.size() >= kMaxPipelinedBytes) return false;
  ErrorCode error;
  const auto space = buffer_.prepare(std::min(kReadBytes, kMaxPipelinedBytes - buffer_.size()));
  buffer_.commit(socket_.read_some(space, error));
  last_read_at_ = clock_.Now();
  return true;
}

void Connection::CloseIfIdle() {
  if (idle_) Abort();
}

Task<void> Connection::Linger() {
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  buffer_.consume(buffer_.size());
  LimitReads(kLingerTime);
  for (;;) {
    const bool more = co_await ReadMore();
    if (!more) co_return;
    buffer_.consume(buffer_.size());
  }
}

void Connection::Close() {
  ErrorCode ignored;
  NoLimit();
  on_gone_ = nullptr;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
  wait_timer_.cancel();
}

void Connection::Abort() {
  aborted_ = true;
  Close();
}

}  // namespace xcloud
