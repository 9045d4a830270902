// Connection: one accepted socket, its read buffer, its time limit and its watch for a client that
// goes away.
//
// Threads: everything on the io thread that owns it, and nothing else. Held by shared_ptr: the
// coroutine that serves it and the handlers that it has started.
// Invariants: one read and one write at most are pending. A time limit is an instant: it covers
// all reads until the next Limit..., so a client that sends a byte at a time gains nothing.
//
// Memory: an idle connection holds no buffer. What a client sends ahead (pipelining) stays in the
// socket while its answers are written, so one that does not read its answers fills the kernel's
// two buffers, and then write_timeout_ms ends it; while an answer is made, 64 KiB of it are
// taken in, to see whether the client is still there. The buffer is at most twice the larger of
// that and header_limit_bytes + 16 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <boost/beast/core/flat_buffer.hpp>

#include "core/clock.h"
#include "http/asio_types.h"

namespace xcloud {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `clock` dates what is read; time limits run on the steady clock of the machine.
  Connection(Socket socket, const Clock& clock);

  // --- Reading ---
  std::string_view Buffered() const;
  // Bytes wait in the buffer or in the socket.
  bool HasUnread() const;
  void Consume(std::size_t bytes) { buffer_.consume(bytes); }
  // Appends what comes to the buffer. False: the client went away, the limit passed (timed_out()
  // tells) or Abort.
  Task<bool> ReadMore();
  // The same between requests, without a buffer until something comes. REQUIRES: Buffered() is
  // empty.
  Task<bool> ReadFirst();
  // Of the buffer, used or not.
  std::size_t buffer_bytes() const { return buffer_.capacity(); }
  // Reads into `data` and returns the bytes; 0 as ReadMore's false.
  Task<std::size_t> ReadInto(char* data, std::size_t size);
  TimePoint Now() const { return clock_.Now(); }
  // When the newest byte in the buffer came.
  TimePoint last_read_at() const { return last_read_at_; }

  // --- Writing ---
  // Both as one gathered write. False when the client could not be told.
  Task<bool> Write(std::string_view head, std::string_view body, Duration limit);

  // --- Time limits: reads fail with timed_out() once it has passed ---
  void LimitReads(Duration limit);
  // As above, but each byte that comes from now on moves the instant by `per_byte`, to `most` from
  // now at the latest. So the sender has `limit` to stand still in all, and must else be faster
  // than a byte in `per_byte` on average; a burst is credit for a pause.
  void LimitReads(Duration limit, Duration per_byte, Duration most);
  void NoLimit();
  bool timed_out() const { return timed_out_; }

  // --- A client that goes away while its answer is made ---
  // Calls `gone` once when the peer closes (also half-closes: the two look alike from here).
  // Pipelined bytes that come meanwhile are kept in the buffer.
  void Watch(std::function<void()> gone);
  void Unwatch();
  // One timer for whoever waits for an answer; cancelled by Abort.
  Timer& wait_timer() { return wait_timer_; }

  // --- Ending ---
  // The client's address is of this machine (127.0.0.0/8, ::1, ::ffff:127.0.0.0/104).
  bool PeerIsLoopback() const;
  // Between requests: CloseIfIdle may close it without breaking a promise.
  void set_idle(bool idle) { idle_ = idle; }
  void CloseIfIdle();
  // Ends our side, then reads and drops what still comes for a bounded time: closing with unread
  // bytes would reset the connection and may destroy the answer before it is read.
  Task<void> Linger();
  void Close();
  // Closes and wakes whatever waits; every later operation fails.
  void Abort();
  bool aborted() const { return aborted_; }

 private:
  void Limit(Duration limit, bool writing);
  void StartTimer();
  void OnTimer(const ErrorCode& error);
  void StartWatch();
  void OnReadable(const ErrorCode& error, std::uint64_t generation);
  // Moves bytes that wait in the socket into the buffer. False when there is no room.
  bool KeepPipelined();

  Socket socket_;
  const Clock& clock_;
  boost::beast::flat_buffer buffer_;
  TimePoint last_read_at_{};

  Timer timer_;
  std::chrono::steady_clock::time_point limit_at_ = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point latest_at_ = std::chrono::steady_clock::time_point::max();
  Duration per_byte_{};  // by which a byte that is read moves limit_at_, to latest_at_ at most
  // When the pending wait on timer_ fires. It is not moved when the limit moves later, so a
  // request that ends in time costs no timer operation.
  std::chrono::steady_clock::time_point fires_at_ = std::chrono::steady_clock::time_point::max();
  bool limits_writing_ = false;
  bool timed_out_ = false;

  Timer wait_timer_;
  std::function<void()> on_gone_;
  std::uint64_t watch_generation_ = 0;
  bool watching_ = false;

  bool idle_ = false;
  bool aborted_ = false;
};

}  // namespace xcloud
