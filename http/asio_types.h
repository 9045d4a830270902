// The Asio types of this room, each with io_context's own executor: the type-erased default
// executor costs an allocation and two virtual calls at every hop.
#pragma once

#include <chrono>
#include <utility>  // boost/asio/awaitable.hpp 1.74 uses std::exchange and does not include it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xcloud {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using ErrorCode = boost::system::error_code;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

// A coroutine of one io thread.
template <class T>
using Task = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kUseTask{};

}  // namespace xcloud
