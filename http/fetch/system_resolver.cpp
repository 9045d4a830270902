#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "core/mutex.h"
#include "http/fetch/resolver.h"
#include "http/fetch/socket_address.h"

namespace xcloud {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};

Status ToStatus(int error) {
  switch (error) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
    case EAI_FAMILY:
      return Status::NotFound("there is no such host");
    default:
      return Status::Unavailable("the name service does not answer");
  }
}

Result<std::vector<IpAddress>> Lookup(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return ToStatus(error);
  }
  std::vector<IpAddress> out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (const auto address = ToSocketAddress(at->ai_addr, at->ai_addrlen)) {
      out.push_back(address->ip);
    }
  }
  freeaddrinfo(found);
  if (out.empty()) return Status::NotFound("the host has no address");
  return out;
}

}  // namespace

// Outlives the resolver while a thread is inside getaddrinfo.
struct SystemResolver::State {
  struct Question {
    std::string host;
    Done done;
  };
  Mutex mutex;
  CondVar changed;
  std::size_t capacity = 0;
  bool closed XC_GUARDED_BY(mutex) = false;
  std::deque<Question> waiting XC_GUARDED_BY(mutex);
  std::vector<std::thread> threads XC_GUARDED_BY(mutex);
  std::vector<bool> looking_up XC_GUARDED_BY(mutex);  // one a thread

  bool Next(std::size_t self, Question& out) XC_EXCLUDES(mutex) {
    MutexLock lock(mutex);
    looking_up[self] = false;
    while (waiting.empty() && !closed) changed.Wait(mutex);
    if (closed) return false;
    out = std::move(waiting.front());
    waiting.pop_front();
    looking_up[self] = true;
    return true;
  }
  // `done` under the lock, so that none is called once the destructor has set `closed`.
  void Answer(const Question& question, Result<std::vector<IpAddress>> found) XC_EXCLUDES(mutex) {
    MutexLock lock(mutex);
    if (!closed) question.done(std::move(found));
  }
  static void Run(const std::shared_ptr<State>& state, std::size_t self) {
    pthread_setname_np(pthread_self(), "xc-fetch-dns");
    for (Question question; state->Next(self, question);) {
      state->Answer(question, Lookup(question.host));
      question = {};
    }
  }
};

SystemResolver::SystemResolver(std::size_t threads, std::size_t capacity)
    : state_(std::make_shared<State>()) {
  state_->capacity = capacity;
  MutexLock lock(state_->mutex);
  state_->looking_up.resize(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_, i] { State::Run(state, i); });
  }
}

SystemResolver::~SystemResolver() {
  std::vector<std::thread> idle;
  {
    MutexLock lock(state_->mutex);
    state_->closed = true;
    state_->waiting.clear();
    for (std::size_t i = 0; i < state_->threads.size(); ++i) {
      if (state_->looking_up[i]) {
        state_->threads[i].detach();
      } else {
        idle.push_back(std::move(state_->threads[i]));
      }
    }
    state_->threads.clear();
  }
  state_->changed.NotifyAll();
  for (std::thread& thread : idle) thread.join();
}

void SystemResolver::Resolve(const std::string& host, Done done) {
  {
    MutexLock lock(state_->mutex);
    if (state_->waiting.size() < state_->capacity) {
      state_->waiting.push_back({host, std::move(done)});
      done = nullptr;
    }
  }
  if (done != nullptr) {
    return done(Status::Overloaded("too many hosts wait to be looked up", kRetryAfter));
  }
  state_->changed.NotifyOne();
}

}  // namespace xcloud
