#include "models/photo_group.h"

#include <string>

namespace xcloud {
namespace {

std::vector<SharedBytes> TakePhotos(InferenceRequest& request) {
  std::vector<SharedBytes> photos;
  if (request.inputs.empty()) {
    photos.push_back(std::exchange(request.image, {}));
  } else {
    photos = SplitBytesElements(request.inputs.front().data).value();  // CheckInputs counted them
    request.inputs.clear();
  }
  return photos;
}

Status Prefixed(const std::string& prefix, Status status) {
  const std::string message = prefix + status.message();
  if (status.code() == StatusCode::kOverloaded) {
    return Status::Overloaded(message, status.retry_after());
  }
  return {status.code(), message};
}

}  // namespace

PhotoGroup::PhotoGroup(std::unique_ptr<ItemRequest> request)
    : request_(std::move(request)),
      photos_(TakePhotos(request_->request())),
      left_(photos_.size()) {
  XC_CHECK(request_->form() == InputForm::kPhotos && photos_.size() == request_->items);
}

void PhotoGroup::Begin(TimePoint now) {
  MutexLock lock(mutex_);
  TimePoint& start = request_->stages().decode_start;
  if (start == TimePoint{}) start = now;
}

void PhotoGroup::Fail(std::size_t photo, Status status, bool in_photo) {
  MutexLock lock(mutex_);
  if (failed() && failed_photo_ <= photo) return;
  failed_photo_ = photo;
  status_ =
      in_photo && size() > 1
          ? Prefixed("photo " + std::to_string(photo + 1) + " of " + std::to_string(size()) + ": ",
                     std::move(status))
          : std::move(status);
  failed_.store(true, std::memory_order_relaxed);
}

Status PhotoGroup::TakeStatus() {
  MutexLock lock(mutex_);
  return std::move(status_);
}

}  // namespace xcloud
