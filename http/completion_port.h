// CompletionPort: the door through which other threads reach one io thread.
//
// A completion may come from a lane long after the server has stopped. The lane holds the port
// (shared_ptr), not the io_context; once closed, the port drops what comes.
// Thread safety: every method from any thread. Post never runs the function on the calling thread.
#pragma once

#include <utility>

#include <boost/asio/post.hpp>

#include "core/mutex.h"
#include "http/asio_types.h"

namespace xcloud {

class CompletionPort {
 public:
  // `context` must live until Close().
  explicit CompletionPort(asio::io_context& context) : context_(&context) {}

  template <class Function>
  void Post(Function function) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (context_ != nullptr) asio::post(context_->get_executor(), std::move(function));
  }

  void Close() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    context_ = nullptr;
  }

 private:
  Mutex mutex_;
  asio::io_context* context_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
