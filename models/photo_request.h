// PhotoRequest: the request that models hands to the scheduler and gets back on a lane: one
// decoded photo (resized and cropped, or as it is where the device resizes), and whom to tell.
//
// Invariant: the callback is called exactly once, by Refuse or by Answer. Owned by one stage at a
// time, but for item() and Cancelled(): a lane that hangs may still read what another lane runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/request.h"
#include "core/scheduled_request.h"
#include "models/image.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// A version of a model, loaded and warmed on every lane. Shared by the requests that use it, so
// it lives until the last of them is answered. Constant once published.
struct LoadedModel {
  ModelDefinition definition;
  std::string version;
  ModelId id = 0;                                  // its queue in the scheduler
  std::vector<std::unique_ptr<Network>> networks;  // by lane position, over all devices
  std::size_t output_size = 0;
};

class PhotoRequest final : public ScheduledRequest {
 public:
  PhotoRequest(std::shared_ptr<const LoadedModel> model, InferenceRequest request,
               InferenceCallback done);
  ~PhotoRequest() override;

  bool Cancelled() const override;
  void Refuse(std::size_t first, std::size_t count, Status status) override;

  // Writes the answer from the network's raw outputs (activation, top-k, threshold, labels) and
  // calls back; outputs that are not finite are answered Internal. REQUIRES: no more scores than
  // labels (Device::MakeNetworks checks it). `stages` carries the lane's instants; `lane` its name.
  void Answer(std::span<const float> scores, std::size_t batch_items, const std::string& lane,
              TimePoint batch_closed, TimePoint forward_start, TimePoint forward_end);

  const LoadedModel& model() const { return *model_; }
  const std::shared_ptr<const LoadedModel>& shared_model() const { return model_; }
  InferenceRequest& request() { return request_; }
  // Takes the decoded photo: resizes and crops it, or keeps it as it is where the lanes' device
  // does that and the photo fits one (models/resize_plan.h). Call once, before it is queued.
  void SetDecoded(Image image, bool device_resizes);
  // What a network stages; lives as long as this. Any thread. REQUIRES: decoded.
  NetworkItem item() const;
  std::vector<std::uint8_t>& pixels() { return pixels_; }  // for tests: PixelBytes(), resized
  StageTimes& stages() { return result_.stages; }

 private:
  void Finish();

  std::shared_ptr<const LoadedModel> model_;
  InferenceRequest request_;
  InferenceCallback done_;
  InferenceResult result_;
  std::vector<std::uint8_t> pixels_;
  std::unique_ptr<const ResizableImage> image_;
};

}  // namespace xcloud
