// Fbp: how a group of raters would like a face, by the model fbp_beauty, for the largest face of a
// photo. No weights of it can be had honestly, so where none are installed the service says so and
// never gives a score.
//
// data is that of the first XCloud's cv/fbp: {"beauty": two decimals, "detection": {"box",
// "confidence", "keypoints"}}; a photo without a face answers code 3. The model takes the face's
// box with ten pixels around it, as 224 x 224 pixels; its own model.toml says how they are
// normalised.
#pragma once

#include <vector>

#include "models/pipeline/pipeline.h"
#include "models/pipeline/run.h"

namespace xcloud {

class Fbp final : public Pipeline {
 public:
  static constexpr const char* kModel = "fbp_beauty";

  explicit Fbp(const PipelineSpec& spec) : min_face_(spec.min_face) {}
  std::vector<Stage> stages() const override;
  void SetForm(AnswerForm& form) const override { form.message = "Success"; }
  PipelineTask<PipelineAnswer> Run(PipelineRun& run) const override;

 private:
  const double min_face_;
};

}  // namespace xcloud
