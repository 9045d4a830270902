// ItemRequest: the request that models hands to the scheduler and gets back on lanes: n items ready
// for a network (decoded photos, or the caller's own tensors), and whom to tell.
//
// The scheduler may split it: parts run in several batches, on several lanes at once, and each
// part ends for itself; the last one to end answers the caller, with an error if any part had one.
//
// Invariants: every item ends once, by Refuse or by Answer, and the callback is called exactly
// once, by whoever ends the last. Owned by one stage at a time, but for what is marked "any
// thread": a lane that hangs may still read what another lane runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/item_join.h"
#include "core/mutex.h"
#include "core/request.h"
#include "core/scheduled_request.h"
#include "models/image.h"
#include "models/input_check.h"
#include "models/loaded_model.h"
#include "models/network.h"

namespace xcloud {

// Where and when a part ran.
struct PartRun {
  std::size_t batch_items = 0;  // of all parts of that batch
  std::string lane;             // "cpu0/0"
  TimePoint batch_closed;
  TimePoint forward_start;
  TimePoint forward_end;
};

class ItemRequest final : public ScheduledRequest {
 public:
  // `inputs` is what CheckInputs says of `request`.
  ItemRequest(std::shared_ptr<const LoadedModel> model, InferenceRequest request,
              CheckedInputs inputs, InferenceCallback done);
  ~ItemRequest() override;

  bool Cancelled() const override;
  void Refuse(std::size_t first, std::size_t count, Status status) override;

  // A batch of it is about to be staged. Any thread; from the second call on it does nothing.
  void Started();
  // Ends the items first .. first + count - 1: makes what was asked for of the network's raw
  // outputs, `count` rows of LoadedModel::output_size. A row that is not finite is Internal. Any
  // thread, for different items possibly at once.
  void Answer(std::size_t first, std::size_t count, std::span<const float> scores,
              const PartRun& run);

  const LoadedModel& model() const { return *model_; }
  const std::shared_ptr<const LoadedModel>& shared_model() const { return model_; }
  InferenceRequest& request() { return request_; }
  InputForm form() const { return form_; }
  // Takes a decoded photo: resizes and crops it, or keeps it as it is where the lanes' device does
  // that and the photo fits one (models/resize_plan.h). Once for each item, before it is queued;
  // any thread, for different items possibly at once. REQUIRES: form() is kPhotos.
  void SetDecoded(std::size_t item, Image image, bool device_resizes);
  // What a network stages; lives as long as this. Any thread. REQUIRES: decoded.
  NetworkItem item(std::size_t item) const;
  // For tests: PixelBytes(), resized.
  std::vector<std::uint8_t>& pixels(std::size_t item = 0) { return photos_.at(item).pixels; }
  StageTimes& stages() { return result_.stages; }

 private:
  struct Photo {
    std::vector<std::uint8_t> pixels;
    std::unique_ptr<const ResizableImage> image;
  };

  Status MakePredictions(std::span<const float> scores);
  Status MakeValue(std::span<const float> scores);
  Status MakeProbabilities(std::size_t first, std::span<const float> scores);
  float* ProbabilityRows() XC_EXCLUDES(rows_mutex_);
  void TakeOutputs() XC_EXCLUDES(rows_mutex_);
  void End(std::size_t count, Status status, const PartRun* run);

  std::shared_ptr<const LoadedModel> model_;
  InferenceRequest request_;
  const InputForm form_;
  InferenceCallback done_;
  std::atomic<bool> pending_{false};  // counted as such
  ItemJoin join_;
  InferenceResult result_;  // of a split request, touched by the last part only
  std::vector<Photo> photos_;
  Mutex rows_mutex_;
  std::shared_ptr<std::vector<float>> rows_ XC_GUARDED_BY(rows_mutex_);  // a row an item
};

}  // namespace xcloud
