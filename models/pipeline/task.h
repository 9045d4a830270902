// PipelineTask: a coroutine that gives a T, for steps of a service that wait for networks.
//
// Lazy: it runs when it is awaited, and gives control back to whoever awaited it when it is done.
// Whoever owns the outermost task may destroy it while it waits: the tasks inside it go as well.
// Nothing is thrown out of one (a std::bad_alloc ends the process, as in a lane).
// Thread safety: none of its own; it runs on the thread that resumes it, one at a time.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "core/status.h"

namespace xcloud {

template <class T>
class [[nodiscard]] PipelineTask {
 public:
  struct promise_type {
    PipelineTask get_return_object() {
      return PipelineTask(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        return done.promise().waiter;
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() { std::terminate(); }

    std::optional<T> value;
    std::coroutine_handle<> waiter = std::noop_coroutine();
  };

  PipelineTask() = default;
  PipelineTask(PipelineTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  PipelineTask& operator=(PipelineTask&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~PipelineTask() {
    if (handle_ != nullptr) handle_.destroy();
  }

  // To begin it without awaiting it.
  std::coroutine_handle<> handle() const { return handle_; }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() {
    XC_CHECK(handle_.promise().value.has_value());
    return *std::move(handle_.promise().value);
  }

 private:
  explicit PipelineTask(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace xcloud
