// FetchInbox: what other threads put down for the fetcher's thread, and how they wake it. Shared,
// so that a lookup that ends after the fetcher has gone finds a closed door, not freed memory.
//
// Thread safety: every method from any thread; Take and Close belong to the fetcher's thread and to
// who has joined it. No callback runs under its lock.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/cancel.h"
#include "core/deadline.h"
#include "core/mutex.h"
#include "core/result.h"
#include "http/fetch/photo_fetcher.h"
#include "http/fetch/url_policy.h"

namespace xcloud {

// One photo, from Fetch to `done`.
struct FetchedPhoto {
  PhotoFetcher::Done done;
  CheckedUrl url;  // of the present hop
  CancelTokenPtr cancel;
  std::shared_ptr<BodyShare> share;  // may be null
  TimePoint asked_at;
  Deadline deadline;  // the request's
  TimePoint until;    // the deadline, or the fetcher's own timeout if that is earlier
  std::int64_t redirects_left = 0;
};

struct FoundAddresses {
  std::uint64_t hop = 0;  // which question this answers
  Result<std::vector<IpAddress>> addresses;
};

class FetchInbox {
 public:
  struct Mail {
    std::vector<FetchedPhoto> photos;
    std::vector<FoundAddresses> found;
    bool stop = false;
  };
  enum class Answer { kTaken, kFull, kStopped };

  // `capacity`: photos that are taken and not yet ended. `multi` lives until Close().
  FetchInbox(CURLM* multi, std::size_t capacity) : capacity_(capacity), multi_(multi) {}

  // Moves from `photo` only when it is taken.
  Answer Put(FetchedPhoto& photo) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (mail_.stop || multi_ == nullptr) return Answer::kStopped;
    if (open_ >= capacity_) return Answer::kFull;
    ++open_;
    mail_.photos.push_back(std::move(photo));
    curl_multi_wakeup(multi_);
    return Answer::kTaken;
  }
  void Put(FoundAddresses found) XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (multi_ == nullptr) return;
    mail_.found.push_back(std::move(found));
    curl_multi_wakeup(multi_);
  }
  void Wake() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (multi_ != nullptr) curl_multi_wakeup(multi_);
  }
  // From now on no photo is taken.
  void AskToStop() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    mail_.stop = true;
    if (multi_ != nullptr) curl_multi_wakeup(multi_);
  }

  Mail Take() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    Mail mail = std::move(mail_);
    mail_ = {};
    mail_.stop = mail.stop;
    return mail;
  }
  // One photo that was taken has ended: makes room.
  void OneEnded() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    --open_;
  }
  void Close() XC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    multi_ = nullptr;
  }

 private:
  const std::size_t capacity_;
  Mutex mutex_;
  CURLM* multi_ XC_GUARDED_BY(mutex_);
  std::size_t open_ XC_GUARDED_BY(mutex_) = 0;
  Mail mail_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
