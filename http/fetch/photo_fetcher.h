// PhotoFetcher: fetches the photo behind a URL that a caller sent (imgurl), and nothing else.
//
//   fetcher.Fetch({url, deadline, cancel}, [port](Result<std::string> photo) {
//     port->Post(...);                       // hand it to the io thread and return
//   });
//   ...
//   cancel->Cancel(); fetcher.Wake();        // the caller went away: the connection ends now
//
// The caller chooses the URL, so the server must not be talked into speaking to anyone else:
// url_policy.h says which URLs, address_policy.h which addresses. A host is looked up once a hop;
// if any of its addresses is refused, the fetch is. The addresses that were checked are the ones
// that are connected to: a second, different answer of the name server is never asked for. A
// redirect is a new URL and goes through all of it again.
//
// Threads: every method from any thread; Fetch and Wake never block. One thread of its own
// ("xc-fetch") moves the bytes, `resolve_threads` more look hosts up.
// Invariants: `done` is called exactly once: inside Fetch when it is refused at once (imgurl is
// off, a URL that is not allowed, too many fetches, stopped), else on the fetcher's thread. It must
// return quickly and not throw: it holds up every other photo. After Stop returns it is not called.
// The process ignores SIGPIPE (main.cpp does): OpenSSL writes to sockets that hosts have closed.
// Bounds: max_fetches at a time, connections_per_host of them from one host, queue_capacity more
// that wait, max_bytes each, timeout_ms each, and the bytes of all by the budget of their shares.
//
// Errors, in words for the caller; none names an address that the server found:
//   PermissionDenied  imgurl is off ([fetch] allow is empty), or the host or port is not allowed
//   InvalidArgument   the URL is malformed; its host has no public address; it cannot be reached;
//   it
//                     redirects; it answers anything but 200 ("the photo's URL answered 404"), an
//                     empty body, or less than it declared
//   TooLarge          over max_bytes, declared or sent
//   DeadlineExceeded  timeout_ms or the request's deadline passed
//   Cancelled         the token was set
//   Overloaded        too many fetches, or bytes (share->refused()); has retry_after
//   Unavailable       the fetcher is stopping, or the name server does not answer
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/cancel.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/deadline.h"
#include "core/metrics.h"
#include "core/result.h"
#include "http/byte_budget.h"
#include "http/fetch/fetch_seams.h"

namespace xcloud {

struct FetchRequest {
  std::string url;        // as the caller sent it
  Deadline deadline;      // of the request; none = timeout_ms alone
  CancelTokenPtr cancel;  // may be null. Seen at once after Wake(), else within 50 ms
  // Counts the photo's bytes as they come; null = they are not counted. From Fetch to `done` it is
  // the fetcher's; then it holds them until it goes. Its budget outlives the fetcher.
  std::shared_ptr<BodyShare> share = nullptr;
};

class PhotoFetcher {
 public:
  using Done = std::function<void(Result<std::string>)>;  // the bytes of the answer's body

  // InvalidArgument names the pattern of `allow` that is not understood. `metrics` and `clock` must
  // outlive the fetcher. No thread is started when `allow` is empty.
  static Result<std::unique_ptr<PhotoFetcher>> Create(const FetchConfig& config,
                                                      MetricsRegistry& metrics, Clock& clock,
                                                      FetchSeams seams = {});
  // Stops.
  ~PhotoFetcher();
  PhotoFetcher(const PhotoFetcher&) = delete;
  PhotoFetcher& operator=(const PhotoFetcher&) = delete;

  // False when the operator allows no hosts; Fetch then answers PermissionDenied.
  bool enabled() const;

  void Fetch(FetchRequest request, Done done);
  // Looks at the tokens and the clock now.
  void Wake();
  // Ends every fetch with Unavailable and joins the thread; later ones get the same. Idempotent.
  // Not from `done`.
  void Stop();

 private:
  struct Impl;
  explicit PhotoFetcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether Create would understand `allow`. For `xcloud serve --check`.
Status CheckFetchConfig(const FetchConfig& config);

}  // namespace xcloud
