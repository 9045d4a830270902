#include "models/photo_request.h"

#include <algorithm>
#include <utility>

#include "models/preprocess.h"
#include "models/resize_plan.h"
#include "models/top_k.h"

namespace xcloud {

PhotoRequest::PhotoRequest(std::shared_ptr<const LoadedModel> model, InferenceRequest request,
                           InferenceCallback done)
    : model_(std::move(model)), request_(std::move(request)), done_(std::move(done)) {
  XC_CHECK(model_ != nullptr && done_ != nullptr);
  priority = request_.priority;
  arrival = request_.first_byte;
  deadline = request_.deadline;
  result_.model = model_->definition.name;
  result_.version = model_->version;
  result_.synthetic = model_->definition.synthetic();
  result_.stages.first_byte = request_.first_byte;
  result_.stages.received = request_.received;
}

PhotoRequest::~PhotoRequest() = default;

void PhotoRequest::SetDecoded(Image image, bool device_resizes) {
  XC_CHECK(image_ == nullptr && pixels_.empty());
  const PreprocessSpec& spec = model_->definition.preprocess;
  if (device_resizes) image_ = MakeResizable(image, spec);
  if (image_ != nullptr) return;
  pixels_.resize(spec.PixelBytes());
  ResizeAndCrop(image, spec, pixels_.data());
}

NetworkItem PhotoRequest::item() const {
  if (image_ != nullptr) return {nullptr, image_.get()};
  XC_CHECK(pixels_.size() == model_->definition.preprocess.PixelBytes());
  return {pixels_.data(), nullptr};
}

bool PhotoRequest::Cancelled() const {
  return request_.cancel != nullptr && request_.cancel->Cancelled();
}

void PhotoRequest::Refuse(std::size_t first, std::size_t count, Status status) {
  XC_CHECK(!status.ok() && first == 0 && count == 1);
  result_.status = std::move(status);
  Finish();
}

void PhotoRequest::Answer(std::span<const float> scores, std::size_t batch_items,
                          const std::string& lane, TimePoint batch_closed, TimePoint forward_start,
                          TimePoint forward_end) {
  result_.batch_items = batch_items;
  result_.lane = lane;
  result_.stages.batch_closed = batch_closed;
  result_.stages.forward_start = forward_start;
  result_.stages.forward_end = forward_end;
  const ModelDefinition& definition = model_->definition;
  const int wanted = request_.top_k > 0 ? request_.top_k : definition.answer.top_k;
  const Result<std::vector<ScoredClass>> best =
      TopK(scores, definition.activation, static_cast<std::size_t>(wanted));
  if (!best.ok()) return RefuseAll(best.status());
  if (best->front().probability < static_cast<float>(definition.answer.threshold)) {
    result_.predictions.push_back({-1, "Unknown", best->front().probability});
    return Finish();
  }
  result_.predictions.reserve(best->size());
  for (const ScoredClass& one : *best) {
    result_.predictions.push_back(
        {one.index, definition.labels.at(static_cast<std::size_t>(one.index)), one.probability});
  }
  Finish();
}

void PhotoRequest::Finish() {
  // Emptied first: a second end of the same request is a broken invariant, never a second answer.
  InferenceCallback done = std::exchange(done_, nullptr);
  XC_CHECK(done != nullptr);
  done(std::move(result_));
}

}  // namespace xcloud
