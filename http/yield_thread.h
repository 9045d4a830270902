// YieldThread: between two slices of long work, lets what else waits on this io thread run first.
//
// Threads: a coroutine of an io thread.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "http/asio_types.h"

namespace xcloud {

inline Task<void> YieldThread() {
  const Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, kUseTask);
}

}  // namespace xcloud
