// Faces: every face of a photo: its box, points, and where their models are installed, the age and
// gender that they guess.
//
// data is a list of {"box","confidence","keypoints"[,"age"][,"gender","gender_probability"]}, the
// likeliest face first. What is not guessed stands beside it in "missing", with why. A photo
// without a face answers code 3.
// The models' conventions are those of configs/models/age and gender: a chip with a padding of a
// fifth; 81 probabilities of ages 0.25, 1, 2, ... 80, whose mean is the age; female, then male.
#pragma once

#include <vector>

#include "models/pipeline/face/face_boxes.h"
#include "models/pipeline/face/photo_pyramid.h"
#include "models/pipeline/pipeline.h"
#include "models/pipeline/run.h"

namespace xcloud {

class Faces final : public Pipeline {
 public:
  static constexpr const char* kAgeModel = "age";
  static constexpr const char* kGenderModel = "gender";

  explicit Faces(const PipelineSpec& spec) : min_face_(spec.min_face) {}
  std::vector<Stage> stages() const override;
  PipelineTask<PipelineAnswer> Run(PipelineRun& run) const override;

 private:
  const double min_face_;
};

}  // namespace xcloud
