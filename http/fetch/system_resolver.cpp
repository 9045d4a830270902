#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
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

// What one owner of a name server has, as a rule: the last two labels. Under a suffix like co.uk
// strangers share one, which costs them a wait and nothing else.
std::string DomainOf(const std::string& host) {
  const std::size_t last = host.rfind('.');
  if (last == std::string::npos || last == 0) return host;
  const std::size_t before = host.rfind('.', last - 1);
  return before == std::string::npos ? host : host.substr(before + 1);
}

std::size_t HalfOf(std::size_t all) {
  return std::max<std::size_t>(1, all / 2);
}

}  // namespace

Result<std::vector<IpAddress>> LookUpHost(const std::string& host) {
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

// Outlives the resolver while a thread is inside the lookup.
struct SystemResolver::State {
  struct Question {
    std::string host;
    std::string domain;
    CancelTokenPtr cancel;
    Done done;
  };
  State(std::size_t threads, std::size_t places, Gauge* gauge, LookupFunction function)
      : capacity(places),
        running_of_one(HalfOf(threads)),
        waiting_of_one(HalfOf(places)),
        lookup(std::move(function)),
        looking_up(threads),
        open(gauge) {}

  const std::size_t capacity;
  const std::size_t running_of_one;  // at most, of one domain
  const std::size_t waiting_of_one;
  const LookupFunction lookup;
  Mutex mutex;
  CondVar changed;
  bool closed XC_GUARDED_BY(mutex) = false;
  std::deque<Question> waiting XC_GUARDED_BY(mutex);
  std::map<std::string, std::size_t> running XC_GUARDED_BY(mutex);  // by domain; no zeros
  std::vector<std::thread> threads XC_GUARDED_BY(mutex);
  std::vector<bool> looking_up XC_GUARDED_BY(mutex);  // one a thread
  Gauge* open XC_GUARDED_BY(mutex);                   // null once closed, or when nobody counts

  // False when there is no place.
  bool Put(Question question) XC_EXCLUDES(mutex);
  // What thread `self` is to look up next; false when it is to end.
  bool Next(std::size_t self, Question& out) XC_EXCLUDES(mutex);
  void Answer(std::size_t self, const Question& question, Result<std::vector<IpAddress>> found)
      XC_EXCLUDES(mutex);
  void DropCancelled() XC_REQUIRES(mutex);
  std::size_t WaitingOf(const std::string& domain) const XC_REQUIRES(mutex);
  std::size_t RunningOf(const std::string& domain) const XC_REQUIRES(mutex);
  void Show() XC_REQUIRES(mutex);
  static void Run(const std::shared_ptr<State>& state, std::size_t self);
};

bool SystemResolver::State::Put(Question question) {
  MutexLock lock(mutex);
  DropCancelled();
  if (waiting.size() >= capacity || WaitingOf(question.domain) >= waiting_of_one) return false;
  waiting.push_back(std::move(question));
  Show();
  return true;
}

// Threads that wait here have found no question that may be asked. A lookup that ends lets at most
// one more of its domain be asked, and its own thread comes here next: nobody else need be woken.
bool SystemResolver::State::Next(std::size_t self, Question& out) {
  MutexLock lock(mutex);
  while (!closed) {
    DropCancelled();
    auto next = waiting.begin();
    while (next != waiting.end() && RunningOf(next->domain) >= running_of_one) ++next;
    if (next != waiting.end()) {
      out = std::move(*next);
      waiting.erase(next);
      ++running[out.domain];
      looking_up[self] = true;
      return true;
    }
    Show();
    changed.Wait(mutex);
  }
  return false;
}

// `done` under the lock, so that none is called once the destructor has set `closed`.
void SystemResolver::State::Answer(std::size_t self, const Question& question,
                                   Result<std::vector<IpAddress>> found) {
  MutexLock lock(mutex);
  looking_up[self] = false;
  const auto used = running.find(question.domain);
  if (--used->second == 0) running.erase(used);
  Show();
  if (!closed) question.done(std::move(found));
}

void SystemResolver::State::DropCancelled() {
  std::erase_if(waiting, [](const Question& one) { return one.cancel && one.cancel->Cancelled(); });
}

std::size_t SystemResolver::State::WaitingOf(const std::string& domain) const {
  return static_cast<std::size_t>(
      std::count_if(waiting.begin(), waiting.end(),
                    [&domain](const Question& one) { return one.domain == domain; }));
}

std::size_t SystemResolver::State::RunningOf(const std::string& domain) const {
  const auto used = running.find(domain);
  return used == running.end() ? 0 : used->second;
}

void SystemResolver::State::Show() {
  if (open == nullptr) return;
  const auto busy = std::count(looking_up.begin(), looking_up.end(), true);
  open->Set(static_cast<std::int64_t>(waiting.size()) + busy);
}

void SystemResolver::State::Run(const std::shared_ptr<State>& state, std::size_t self) {
  pthread_setname_np(pthread_self(), "xc-fetch-dns");
  for (Question question; state->Next(self, question);) {
    state->Answer(self, question, state->lookup(question.host));
    question = {};
  }
}

SystemResolver::SystemResolver(std::size_t threads, std::size_t capacity, Gauge* open,
                               LookupFunction lookup)
    : state_(std::make_shared<State>(threads, capacity, open, std::move(lookup))) {
  MutexLock lock(state_->mutex);
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
    if (state_->open != nullptr) state_->open->Set(0);
    state_->open = nullptr;
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

void SystemResolver::Resolve(const std::string& host, CancelTokenPtr cancel, Done done) {
  if (!state_->Put({host, DomainOf(host), std::move(cancel), done})) {
    return done(Status::Overloaded("too many hosts wait to be looked up", kRetryAfter));
  }
  state_->changed.NotifyOne();
}

}  // namespace xcloud
