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

#include "core/cancel.h"
#include "core/metrics.h"
#include "core/result.h"
#include "http/fetch/fetch_seams.h"

namespace xcloud {

class HostResolver {
 public:
  // At least one address when it is OK. NotFound: there is no such host. Unavailable: the name
  // service did not answer. Overloaded: too many wait.
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;
  virtual ~HostResolver() = default;
  // Any thread, never blocks. While the resolver lives `done` is called exactly once, from any
  // thread, perhaps inside Resolve; or not at all once `cancel` is set, which may be null.
  virtual void Resolve(const std::string& host, CancelTokenPtr cancel, Done done) = 0;
};

// Gives addresses or a Status as HostResolver::Done has them. Blocks.
using LookupFunction = std::function<Result<std::vector<IpAddress>>(const std::string& host)>;
Result<std::vector<IpAddress>> LookUpHost(const std::string& host);  // getaddrinfo

// getaddrinfo on a few threads: it blocks for many seconds when a name server is dead, and nothing
// can cut it short. So whoever runs a slow name server must not get all of them:
//   - one domain (the last two labels of a name) has at most half of the threads at a time, and at
//     most half of the places to wait, each rounded down, but one at least;
//   - a question whose token is set is not asked, and takes no place.
// Two domains with slow servers can still take every thread, and so can one when there is only one
// thread: `allow` is what keeps such domains out.
class SystemResolver final : public HostResolver {
 public:
  // `capacity`: hosts that may wait for a thread; one more is Overloaded. `open` (may be null,
  // outlives the resolver) shows how many wait or are looked up.
  SystemResolver(std::size_t threads, std::size_t capacity, Gauge* open = nullptr,
                 LookupFunction lookup = LookUpHost);
  // Drops what waits. Does not wait for lookups that are under way (a dead name server holds one
  // for many seconds): their threads end by themselves, and call `done` no more.
  ~SystemResolver() override;
  void Resolve(const std::string& host, CancelTokenPtr cancel, Done done) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace xcloud
