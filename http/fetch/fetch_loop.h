// FetchLoop: the fetcher's thread. Takes photos out of the inbox, keeps the limits, asks the
// resolver, checks addresses, runs the transfers on one libcurl multi handle, ends each photo once.
//
// A photo waits, is looked up, moves, and ends; a redirect puts it back in front of those that
// wait, as a new URL. Time is the Clock's, so tests own it; only the time to connect is curl's.
//
// Threads: Run on the one thread; the rest of the class belongs to it. Others reach it by inbox().
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "http/fetch/fetch_end.h"
#include "http/fetch/fetch_inbox.h"
#include "http/fetch/resolver.h"
#include "http/fetch/transfer.h"
#include "http/fetch/url_policy.h"

namespace xcloud {

class FetchLoop {
 public:
  // `seams.resolver` is set. References outlive the loop.
  FetchLoop(const FetchConfig& config, const UrlPolicy& policy, FetchSeams seams,
            FetchMetrics& metrics, Clock& clock);

  const std::shared_ptr<FetchInbox>& inbox() const { return inbox_; }
  // Until the inbox is asked to stop; ends every photo that is left with Unavailable.
  void Run();

 private:
  struct Active {
    FetchedPhoto photo;
    CancelTokenPtr lookup;               // set once nobody waits for the addresses
    std::unique_ptr<Transfer> transfer;  // null while the host is looked up
  };
  struct FreeMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  using ActiveMap = std::map<std::uint64_t, Active>;  // by hop

  void StartWaiting();
  void Start(FetchedPhoto photo);
  void OnFound(FoundAddresses found);
  void CheckAndConnect(ActiveMap::iterator at, std::vector<IpAddress> addresses);
  // Ends what was cancelled or is late, waiting or not.
  void EndOverdue();
  // Gives true when a transfer has ended, so that room may have come free.
  bool Move();
  void OnTransferEnd(std::uint64_t hop, CURLcode code);
  void FollowRedirect(FetchedPhoto photo, const std::string& target);
  // Takes the photo off its transfer and its host's count.
  FetchedPhoto Release(ActiveMap::iterator at);
  void End(FetchedPhoto& photo, FetchEnd end);
  int WaitMs() const;

  const FetchConfig config_;
  const UrlPolicy& policy_;
  const FetchSeams seams_;
  FetchMetrics& metrics_;
  Clock& clock_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::shared_ptr<FetchInbox> inbox_;
  std::deque<FetchedPhoto> waiting_;
  ActiveMap active_;  // goes before multi_: its handles are taken off it
  std::map<std::string, std::int64_t> per_host_;
  std::uint64_t last_hop_ = 0;
};

}  // namespace xcloud
