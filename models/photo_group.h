// PhotoGroup: the encoded photos of one request while each of them is decoded by a job of its own.
// The job that ends last hands the request on, or refuses it when some photo failed.
//
// Thread safety: TakePhoto, Begin, Fail and failed() from any job at once. Whoever gets true from
// End is alone, and sees what the others wrote.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/mutex.h"
#include "core/shared_bytes.h"
#include "core/status.h"
#include "models/item_request.h"

namespace xcloud {

class PhotoGroup {
 public:
  // Takes the photos out of the request: its encoded bytes go when the last of them is decoded.
  // REQUIRES: request->form() is kPhotos.
  explicit PhotoGroup(std::unique_ptr<ItemRequest> request);

  std::size_t size() const { return photos_.size(); }
  ItemRequest& request() { return *request_; }
  // Once each.
  SharedBytes TakePhoto(std::size_t photo) { return std::move(photos_[photo]); }

  // A job has begun; the first one's time is when decoding started.
  void Begin(TimePoint now) XC_EXCLUDES(mutex_);
  // The request cannot be answered; of several photos the first in order is told. `in_photo`: it
  // is the photo's own fault, so the message names it where there are several.
  void Fail(std::size_t photo, Status status, bool in_photo) XC_EXCLUDES(mutex_);
  // The photos that still wait need not be decoded.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  // True for the last job of the group.
  bool End() { return left_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  // After End gave true, or when no job was ever begun.
  std::unique_ptr<ItemRequest> TakeRequest() { return std::move(request_); }
  Status TakeStatus() XC_EXCLUDES(mutex_);

 private:
  std::unique_ptr<ItemRequest> request_;
  std::vector<SharedBytes> photos_;
  std::atomic<std::size_t> left_;
  std::atomic<bool> failed_{false};
  Mutex mutex_;
  std::size_t failed_photo_ XC_GUARDED_BY(mutex_) = 0;
  Status status_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
