// HostResolver: the seam to the name service. SystemResolver asks the system; tests answer from a
// table.
//
// The fetcher asks once a hop and connects only to addresses of that answer, so an answer that
// changes between check and connection (DNS rebinding) changes nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "http/fetch/fetch_seams.h"

namespace xcloud {

class HostResolver {
 public:
  // At least one address when it is OK. NotFound: there is no such host. Unavailable: the name
  // service did not answer. Overloaded: too many wait.
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;
  virtual ~HostResolver() = default;
  // Any thread, never blocks. `done` is called exactly once while the resolver lives, from any
  // thread, perhaps inside Resolve.
  virtual void Resolve(const std::string& host, Done done) = 0;
};

// getaddrinfo on a few threads: it blocks, and nothing can cut it short.
class SystemResolver final : public HostResolver {
 public:
  // `capacity`: hosts that may wait for a thread.
  SystemResolver(std::size_t threads, std::size_t capacity);
  // Drops what waits. Does not wait for lookups that are under way (a dead name server holds one
  // for many seconds): their threads end by themselves, and call `done` no more.
  ~SystemResolver() override;
  void Resolve(const std::string& host, Done done) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace xcloud
